"""A request to process a video. Sizes are bytes, times UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import JSON, by_value, time_column
from mill_common.ids import uuid7
from mill_common.states import JobStatus

# So that an owner's statistics are a walk through one index.
_COUNTED = ["status", "started_at", "completed_at", "duration_s"]
_COLLECTED = sa.text("collection IS NOT NULL")
_ENDED = sa.text("completed_at IS NOT NULL")
_WITH_DEADLINE = sa.text("deadline_at IS NOT NULL AND completed_at IS NULL")


class Job(SQLModel, table=True):
    """One request to process a video. Only `mill_common.queue` writes `status`."""

    __tablename__ = "job"
    __table_args__ = (
        sa.UniqueConstraint("owner_id", "idempotency_key"),
        sa.Index("ix_job_owner_content", "owner_id", "source_sha256"),
        sa.Index("ix_job_owner_mark", "owner_id", "source_mark"),
        sa.Index("ix_job_owner_stored", "owner_id", "stored_bytes"),
        sa.Index("ix_job_owner_created", "owner_id", "created_at", "id", postgresql_include=_COUNTED),
        sa.Index("ix_job_owner_status_created", "owner_id", "status", "created_at", "id"),
        sa.Index("ix_job_owner_updated", "owner_id", "updated_at"),
        sa.Index("ix_job_owner_priority_created", "owner_id", "priority", "created_at", "id"),
        sa.Index("ix_job_owner_filename", "owner_id", "filename", "created_at", "id"),
        sa.Index(
            "ix_job_owner_collection_created",
            "owner_id",
            "collection",
            "created_at",
            "id",
            postgresql_where=_COLLECTED,
            sqlite_where=_COLLECTED,
        ),
        sa.Index("ix_job_collection", "collection", "id", postgresql_where=_COLLECTED, sqlite_where=_COLLECTED),
        sa.Index("ix_job_deadline", "deadline_at", postgresql_where=_WITH_DEADLINE, sqlite_where=_WITH_DEADLINE),
        sa.Index("ix_job_completed", "completed_at", "id", postgresql_where=_ENDED, sqlite_where=_ENDED),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    owner_id: str = Field(foreign_key="owner.id", max_length=64)
    status: JobStatus = Field(default=JobStatus.QUEUED, sa_type=by_value(JobStatus))
    priority: int = Field(default=5, sa_type=sa.SmallInteger)  # 0 (last) to 9 (first)
    progress: float = 0.0  # the highest yet, in [0, 1]: what a client sees never falls
    spec: dict[str, Any] = Field(sa_type=JSON, default_factory=dict)
    user_metadata: dict[str, Any] = Field(sa_type=JSON, default_factory=dict)
    collection: str | None = Field(default=None, max_length=64)  # a name under which its owner files it
    deadline_at: datetime | None = time_column()  # not ended by then, it fails
    idempotency_key: str | None = Field(default=None, max_length=255)
    request_hash: str | None = Field(default=None, max_length=64)
    spec_hash: str | None = Field(default=None, max_length=64)  # the same for the same outputs
    source_mark: str | None = Field(default=None, max_length=64)  # the same for what was the same when it was asked for
    upload_id: UUID | None = Field(default=None, foreign_key="upload.id", index=True)
    filename: str = Field(max_length=255)
    source_key: str | None = Field(default=None, max_length=512)  # the object; None until a URL was fetched
    source_url: str | None = Field(default=None, max_length=2048)
    source_size: int | None = Field(default=None, sa_type=sa.BigInteger)
    source_sha256: str | None = Field(default=None, max_length=64)
    stored_bytes: int = Field(default=0, sa_type=sa.BigInteger, sa_column_kwargs={"server_default": "0"})  # of outputs
    duration_s: float | None = None  # of the source
    media: dict[str, Any] | None = Field(default=None, sa_type=JSON)  # what `probe` found
    transcript: dict[str, Any] | None = Field(default=None, sa_type=JSON)  # facts, not the text
    error_code: str | None = Field(default=None, max_length=64)
    error_message: str | None = Field(default=None, max_length=2000)
    failed_task: str | None = Field(default=None, max_length=64)
    trace: dict[str, str] | None = Field(default=None, sa_type=JSON)  # headers of the trace it was handed in under
    cancel_requested_at: datetime | None = time_column()
    created_at: datetime = time_column(now=True)
    started_at: datetime | None = time_column()
    updated_at: datetime = time_column(now=True)
    completed_at: datetime | None = time_column()  # when it ended, however it ended
