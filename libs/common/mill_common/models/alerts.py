"""What operators are told: alerts, silences, and the notices that went out. Times are UTC."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import JSON, by_value, time_column
from mill_common.ids import uuid7

OPEN = "status IN ('firing', 'pending')"
_WAITING = sa.text("status = 'waiting'")


class AlertLevel(StrEnum):
    """How bad it is, in ascending order."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the mildest."""
        return list(AlertLevel).index(self)


class AlertStatus(StrEnum):
    """The life of an alert."""

    PENDING = "pending"  # the condition holds, but not for long enough yet
    FIRING = "firing"
    RESOLVED = "resolved"


class NoticeStatus(StrEnum):
    """The life of a notice."""

    WAITING = "waiting"  # to be sent, or to be sent again
    SENT = "sent"
    FAILED = "failed"  # given up


class Alert(SQLModel, table=True):
    """One condition from when it began to hold until it no longer did. Only `mill_common.alerts` writes it."""

    __tablename__ = "alert"
    __table_args__ = (
        # However many watchdogs evaluate at once, a condition is open once.
        sa.Index(
            "uq_alert_open", "fingerprint", unique=True, postgresql_where=sa.text(OPEN), sqlite_where=sa.text(OPEN)
        ),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    fingerprint: str = Field(max_length=32)  # of type and labels: what makes two alerts the same
    type: str = Field(max_length=64)
    level: AlertLevel = Field(sa_type=by_value(AlertLevel))
    status: AlertStatus = Field(sa_type=by_value(AlertStatus))
    title: str = Field(max_length=200)
    message: str = Field(max_length=2000)
    labels: dict[str, Any] = Field(sa_type=JSON, default_factory=dict)
    details: dict[str, Any] = Field(sa_type=JSON, default_factory=dict, sa_column_kwargs={"name": "metadata"})
    job_id: UUID | None = None  # no foreign key: the alert outlives its job
    owner_id: str | None = Field(default=None, max_length=64)
    stage: str | None = Field(default=None, max_length=64)
    inhibited_by: str | None = Field(default=None, max_length=64)  # the type of the alert that explains this one
    created_at: datetime = time_column(now=True)
    seen_at: datetime = time_column(now=True)  # when the condition last held
    fired_at: datetime | None = time_column()
    ends_at: datetime | None = time_column()  # resolved then; None: as soon as its rule no longer finds it
    resolved_at: datetime | None = time_column()
    acknowledged_at: datetime | None = time_column()
    acknowledged_by: str | None = Field(default=None, max_length=64)
    note: str | None = Field(default=None, max_length=500)


class AlertSilence(SQLModel, table=True):
    """Alerts that match are not told of until it expires."""

    __tablename__ = "alert_silence"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    matchers: dict[str, str] = Field(sa_type=JSON, default_factory=dict)  # name: pattern; all must match
    reason: str = Field(max_length=500)
    created_by: str = Field(max_length=64)
    created_at: datetime = time_column(now=True)
    starts_at: datetime = time_column(now=True)
    expires_at: datetime = time_column()


class AlertGroup(SQLModel, table=True):
    """What one route was told of one group of alerts."""

    __tablename__ = "alert_group"

    route: str = Field(primary_key=True, max_length=64)
    key: str = Field(primary_key=True, max_length=255)
    told: list[str] = Field(
        sa_type=JSON, default_factory=list
    )  # "id level" of the alerts in the last notice that still hold
    flush_at: datetime = time_column()  # no notice before
    sent_at: datetime | None = time_column()


class AlertNotice(SQLModel, table=True):
    """One message to one route. The address is in the settings alone: it holds a secret."""

    __tablename__ = "alert_notice"
    __table_args__ = (sa.Index("ix_alert_notice_due", "next_at", postgresql_where=_WAITING, sqlite_where=_WAITING),)

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    route: str = Field(max_length=64)
    key: str = Field(max_length=255)
    level: AlertLevel = Field(sa_type=by_value(AlertLevel))
    resolved: bool = False  # nothing of the group fires any more
    title: str = Field(max_length=200)
    body: str = Field(sa_type=sa.Text)
    alerts: list[str] = Field(sa_type=JSON, default_factory=list)  # ids
    status: NoticeStatus = Field(default=NoticeStatus.WAITING, sa_type=by_value(NoticeStatus))
    attempts: int = 0  # also the fence: who counted last may write
    next_at: datetime = time_column(now=True)
    error: str | None = Field(default=None, max_length=500)
    created_at: datetime = time_column(now=True)
    sent_at: datetime | None = time_column()


class AlertTurn(SQLModel, table=True):
    """Something that one watchdog does at a time, every so often."""

    __tablename__ = "alert_turn"

    name: str = Field(primary_key=True, max_length=32)
    next_at: datetime = time_column(now=True)
    done_at: datetime | None = time_column()
