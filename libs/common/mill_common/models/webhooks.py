"""Who is told what becomes of jobs, and what was sent to them. Times are UTC."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import JSON, by_value, time_column
from mill_common.ids import uuid7


class WebhookEvent(StrEnum):
    """What a client can be told of. The last two are about the webhook itself and cannot be chosen."""

    JOB_STARTED = "job.started"
    JOB_PROGRESS = "job.progress"
    JOB_COMPLETED = "job.completed"
    JOB_FAILED = "job.failed"
    JOB_CANCELLED = "job.cancelled"
    OUTPUT_READY = "output.ready"
    TEST = "webhook.test"
    DISABLED = "webhook.disabled"


class PayloadSize(StrEnum):
    """How much an event says."""

    SMALL = "small"  # ids, status and links
    FULL = "full"  # and the source, the outputs and the client's own metadata


class DisabledReason(StrEnum):
    """Why nothing is sent to an endpoint any more."""

    ASKED = "asked"  # its owner wanted it so
    GONE = "gone"  # it answered 410
    FAILING = "failing"  # for days


class DeliveryStatus(StrEnum):
    """The life of a delivery."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"
    SUPERSEDED = "superseded"  # a report of progress that a later event made worthless


_DISABLED = sa.text("disabled_at IS NOT NULL")


class WebhookEndpoint(SQLModel, table=True):
    """A URL that is told of an owner's jobs, or of the one in `job_id`."""

    __tablename__ = "webhook_endpoint"
    __table_args__ = (
        sa.Index("ix_webhook_endpoint_owner_job", "owner_id", "job_id"),
        sa.Index(
            "ix_webhook_endpoint_failing",
            "failing_since",
            postgresql_where=sa.text("enabled AND failing_since IS NOT NULL"),
            sqlite_where=sa.text("enabled = 1 AND failing_since IS NOT NULL"),
        ),
        sa.Index("ix_webhook_endpoint_disabled", "disabled_at", postgresql_where=_DISABLED, sqlite_where=_DISABLED),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    owner_id: str = Field(foreign_key="owner.id", max_length=64)
    key_id: UUID | None = None  # the API key that made it
    job_id: UUID | None = None  # no foreign key: what is still to be sent outlives a job that is deleted
    url: str = Field(max_length=2048)
    description: str = Field(default="", max_length=255)
    events: list[str] = Field(sa_type=JSON, default_factory=list)
    payload: PayloadSize = Field(default=PayloadSize.SMALL, sa_type=by_value(PayloadSize))
    secret: str = Field(max_length=128)  # in the clear, because it signs; never shown again, never logged
    previous_secret: str | None = Field(default=None, max_length=128)  # signs as well until `previous_until`
    previous_until: datetime | None = time_column()
    enabled: bool = True
    disabled_at: datetime | None = time_column()
    disabled_reason: DisabledReason | None = Field(default=None, sa_type=by_value(DisabledReason))
    failing_since: datetime | None = time_column()  # the first failure that no success has followed
    failed_at: datetime | None = time_column()  # and the last
    not_before: datetime | None = time_column()  # it asked to be left alone until then
    created_at: datetime = time_column(now=True)
    updated_at: datetime = time_column(now=True)


_PENDING = sa.text("status = 'pending'")
_SENDING = sa.text("status = 'sending'")


class WebhookDelivery(SQLModel, table=True):
    """One event for one endpoint. Only `mill_common.hooks` writes it."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        sa.Index(
            "ix_webhook_delivery_due",
            "endpoint_id",
            "next_at",
            "id",
            postgresql_where=_PENDING,
            sqlite_where=_PENDING,
        ),
        sa.Index("ix_webhook_delivery_lease", "lease_until", postgresql_where=_SENDING, sqlite_where=_SENDING),
        sa.Index("ix_webhook_delivery_endpoint_created", "endpoint_id", "created_at", "id"),
        sa.Index("ix_webhook_delivery_job_created", "job_id", "created_at", "id"),
        sa.Index("ix_webhook_delivery_ended", "ended_at"),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)  # with msg_ in front what a receiver knows it by
    endpoint_id: UUID = Field(foreign_key="webhook_endpoint.id", ondelete="CASCADE")
    job_id: UUID | None = None
    event: WebhookEvent = Field(sa_type=by_value(WebhookEvent))
    data: dict[str, Any] = Field(sa_type=JSON, default_factory=dict)
    status: DeliveryStatus = Field(default=DeliveryStatus.PENDING, sa_type=by_value(DeliveryStatus))
    attempts: int = 0  # that failed or succeeded since it was written or asked for again
    epoch: int = 0  # rises at every claim, never falls: the fence
    worker: str | None = Field(default=None, max_length=128)
    next_at: datetime = time_column(now=True)
    lease_until: datetime | None = time_column()
    last_status: int | None = None  # of the latest answer, if there was one
    last_error: str | None = Field(default=None, max_length=500)
    created_at: datetime = time_column(now=True)  # when it happened
    ended_at: datetime | None = time_column()


class WebhookAttempt(SQLModel, table=True):
    """One request that was made for a delivery, or was to be made, and what came of it."""

    __tablename__ = "webhook_attempt"

    delivery_id: UUID = Field(foreign_key="webhook_delivery.id", primary_key=True, ondelete="CASCADE")
    epoch: int = Field(primary_key=True)
    at: datetime = time_column(now=True)  # when it ended
    duration_s: float
    request_head: str = Field(default="", sa_type=sa.Text)  # without signatures
    response_status: int | None = None
    response_head: str = Field(default="", sa_type=sa.Text)
    error: str | None = Field(default=None, max_length=500)
