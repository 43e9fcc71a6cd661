"""The rows of what is done on a schedule."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import JSON, by_value, time_column
from mill_common.ids import uuid7


class RunStatus(StrEnum):
    """The life of a scheduled run."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class Schedule(SQLModel, table=True):
    """When something is done next. Written by whichever watchdog fires it."""

    __tablename__ = "schedule"

    name: str = Field(primary_key=True, max_length=64)
    cron: str = Field(max_length=64)
    timezone: str = Field(max_length=64)
    next_at: datetime = time_column()
    paused_at: datetime | None = time_column()  # by an operator: it does not fire


class ScheduledRun(SQLModel, table=True):
    """One fire of a schedule. Only `mill_common.runs` writes it."""

    __tablename__ = "scheduled_run"
    __table_args__ = (
        sa.UniqueConstraint("schedule", "fire_at"),
        sa.Index(
            "ix_scheduled_run_lease",
            "lease_until",
            postgresql_where=sa.text("status = 'running'"),
            sqlite_where=sa.text("status = 'running'"),
        ),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    schedule: str = Field(max_length=64)
    fire_at: datetime = time_column()
    status: RunStatus = Field(default=RunStatus.RUNNING, sa_type=by_value(RunStatus))
    epoch: int = 1  # rises whenever another watchdog takes the run over: the fence
    worker: str = Field(max_length=128)
    total_items: int | None = None  # None while nobody knows
    items_processed: int = 0
    items_succeeded: int = 0
    items_failed: int = 0
    details: dict[str, Any] = Field(sa_type=JSON, default_factory=dict, sa_column_kwargs={"name": "metadata"})
    started_at: datetime = time_column(now=True, index=True)
    heartbeat_at: datetime = time_column(now=True)
    lease_until: datetime | None = time_column()
    finished_at: datetime | None = time_column()
    error: str | None = Field(default=None, max_length=2000)
