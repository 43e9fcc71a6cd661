"""The rows. Sizes are bytes, times are UTC."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import JSON
from mill_common.columns import by_value as _by_value
from mill_common.columns import time_column as _time
from mill_common.ids import uuid7
from mill_common.states import JobStatus, TaskStatus

TASK_STATUS = _by_value(TaskStatus)
JOB_STATUS = _by_value(JobStatus)


class Owner(SQLModel, table=True):
    """Whose jobs share the mill fairly with everybody else's."""

    __tablename__ = "owner"

    id: str = Field(primary_key=True, max_length=64)
    weight: float = 1.0  # with 2.0, twice as many tasks in turn as somebody with 1.0; above 0
    created_at: datetime = _time(now=True)


class ApiKey(SQLModel, table=True):
    """A program's credential. Only its SHA-256 is kept."""

    __tablename__ = "api_key"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    owner_id: str = Field(foreign_key="owner.id", index=True, max_length=64)
    name: str = Field(max_length=100)
    prefix: str = Field(max_length=16)  # what a person may see of it
    digest: str = Field(max_length=64, unique=True)  # SHA-256, hexadecimal
    scopes: list[str] = Field(sa_type=JSON, default_factory=list)
    created_at: datetime = _time(now=True)
    expires_at: datetime | None = _time()
    last_used_at: datetime | None = _time()
    revoked_at: datetime | None = _time()


class Upload(SQLModel, table=True):
    """A source that a client handed in, or is about to."""

    __tablename__ = "upload"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    owner_id: str = Field(foreign_key="owner.id", index=True, max_length=64)
    filename: str = Field(max_length=255)
    content_type: str = Field(max_length=127)
    object_key: str = Field(max_length=512, unique=True)
    size: int = Field(sa_type=sa.BigInteger)
    sha256: str | None = Field(default=None, max_length=64)
    multipart_id: str | None = Field(default=None, max_length=512)
    created_at: datetime = _time(now=True)
    completed_at: datetime | None = _time()
    expires_at: datetime | None = _time(index=True)


class Job(SQLModel, table=True):
    """One request to process a video. Only `mill_common.queue` writes `status`."""

    __tablename__ = "job"
    __table_args__ = (
        sa.UniqueConstraint("owner_id", "idempotency_key"),
        sa.Index("ix_job_owner_created", "owner_id", "created_at", "id"),
        sa.Index("ix_job_owner_status_created", "owner_id", "status", "created_at"),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    owner_id: str = Field(foreign_key="owner.id", max_length=64)
    status: JobStatus = Field(default=JobStatus.QUEUED, sa_type=JOB_STATUS)
    priority: int = Field(default=5, sa_type=sa.SmallInteger)  # 0 (last) to 9 (first)
    progress: float = 0.0  # the highest yet, in [0, 1]: what a client sees never falls
    spec: dict[str, Any] = Field(sa_type=JSON, default_factory=dict)
    user_metadata: dict[str, Any] = Field(sa_type=JSON, default_factory=dict)
    idempotency_key: str | None = Field(default=None, max_length=255)
    request_hash: str | None = Field(default=None, max_length=64)
    upload_id: UUID | None = Field(default=None, foreign_key="upload.id", index=True)
    filename: str = Field(max_length=255)
    source_key: str | None = Field(default=None, max_length=512)  # the object; None until a URL was fetched
    source_url: str | None = Field(default=None, max_length=2048)
    source_size: int | None = Field(default=None, sa_type=sa.BigInteger)
    source_sha256: str | None = Field(default=None, max_length=64)
    media: dict[str, Any] | None = Field(default=None, sa_type=JSON)  # what `probe` found
    transcript: dict[str, Any] | None = Field(default=None, sa_type=JSON)  # facts, not the text
    error_code: str | None = Field(default=None, max_length=64)
    error_message: str | None = Field(default=None, max_length=2000)
    failed_task: str | None = Field(default=None, max_length=64)
    cancel_requested_at: datetime | None = _time()
    created_at: datetime = _time(now=True)
    started_at: datetime | None = _time()
    updated_at: datetime = _time(now=True)
    completed_at: datetime | None = _time()  # when it ended, however it ended


_CLAIMABLE = sa.text("status IN ('queued', 'retrying')")
_RUNNING = sa.text("status = 'running'")


class Task(SQLModel, table=True):
    """One step of a job on one queue. Only `mill_common.queue` writes it."""

    __tablename__ = "task"
    __table_args__ = (
        sa.UniqueConstraint("job_id", "name"),
        sa.Index(
            "ix_task_claim",
            "queue",
            "rank",
            "share",
            "id",
            postgresql_where=_CLAIMABLE,
            sqlite_where=_CLAIMABLE,
        ),
        sa.Index(
            "ix_task_owner_share",
            "queue",
            "owner_id",
            "share",
            postgresql_where=_CLAIMABLE,
            sqlite_where=_CLAIMABLE,
        ),
        sa.Index(
            "ix_task_owner_age",
            "queue",
            "owner_id",
            "rank",
            "job_id",
            "id",
            postgresql_where=_CLAIMABLE,
            sqlite_where=_CLAIMABLE,
        ),
        sa.Index("ix_task_wake", "wake_at", postgresql_where=_CLAIMABLE, sqlite_where=_CLAIMABLE),
        sa.Index("ix_task_lease", "lease_until", postgresql_where=_RUNNING, sqlite_where=_RUNNING),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    job_id: UUID = Field(foreign_key="job.id", ondelete="CASCADE")
    owner_id: str = Field(max_length=64)
    queue: str = Field(max_length=32)
    kind: str = Field(max_length=32)
    name: str = Field(max_length=64)
    params: dict[str, Any] = Field(sa_type=JSON, default_factory=dict)
    status: TaskStatus = Field(default=TaskStatus.BLOCKED, sa_type=TASK_STATUS)
    stage: str | None = Field(default=None, max_length=64)
    progress: float = 0.0  # in [0, 1]
    weight: float = 1.0  # of the job's progress
    rank: int = Field(default=4, sa_type=sa.SmallInteger)  # 9 - priority: ascending, so that a plain index serves
    share: float = 0.0  # virtual finish time: the claim order between owners, see `queue/share.py`
    epoch: int = 0  # rises at every claim, never falls: the fence
    attempts: int = 0  # claims, less those handed back
    max_attempts: int = 5
    crashes: int = 0  # attempts whose worker was never heard of again
    worker: str | None = Field(default=None, max_length=128)
    result: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    error_code: str | None = Field(default=None, max_length=64)
    error_message: str | None = Field(default=None, max_length=2000)
    run_after: datetime = _time(now=True)  # not claimed before
    wake_at: datetime = _time(now=True)  # when the watchdog sends a wake-up if nobody has claimed it by then
    lease_until: datetime | None = _time()
    heartbeat_at: datetime | None = _time()
    progress_at: datetime | None = _time()  # when progress last rose
    cancel_requested_at: datetime | None = _time()
    created_at: datetime = _time(now=True)
    queued_at: datetime | None = _time()
    started_at: datetime | None = _time()  # of the latest attempt
    finished_at: datetime | None = _time()


class TaskNeed(SQLModel, table=True):
    """`task_id` stays blocked until `needs_id` has completed."""

    __tablename__ = "task_need"

    task_id: UUID = Field(foreign_key="task.id", primary_key=True, ondelete="CASCADE")
    needs_id: UUID = Field(foreign_key="task.id", primary_key=True, index=True, ondelete="CASCADE")


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    RETRYING = "retrying"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HANDED_BACK = "handed_back"
    LEASE_EXPIRED = "lease_expired"


class Attempt(SQLModel, table=True):
    """One claim of a task and what came of it."""

    __tablename__ = "attempt"

    task_id: UUID = Field(foreign_key="task.id", primary_key=True, ondelete="CASCADE")
    epoch: int = Field(primary_key=True)
    worker: str = Field(max_length=128)
    started_at: datetime = _time(now=True)
    ended_at: datetime | None = _time()
    outcome: Outcome | None = Field(default=None, sa_type=_by_value(Outcome))
    error_code: str | None = Field(default=None, max_length=64)
    error_message: str | None = Field(default=None, max_length=2000)
    cpu_s: float = 0.0  # of child processes
    peak_memory: int = Field(default=0, sa_type=sa.BigInteger)
    bytes_in: int = Field(default=0, sa_type=sa.BigInteger)
    bytes_out: int = Field(default=0, sa_type=sa.BigInteger)
    log_tail: str = Field(default="", sa_type=sa.Text)


class Output(SQLModel, table=True):
    """An object, or a tree of them, that one epoch of one task made."""

    __tablename__ = "output"
    __table_args__ = (sa.UniqueConstraint("job_id", "name"),)

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    job_id: UUID = Field(foreign_key="job.id", ondelete="CASCADE")
    task_id: UUID = Field(foreign_key="task.id", index=True, ondelete="CASCADE")
    epoch: int
    name: str = Field(max_length=255)
    kind: str = Field(max_length=32)
    object_key: str = Field(max_length=512)
    size: int = Field(sa_type=sa.BigInteger)
    sha256: str = Field(max_length=64)
    content_type: str = Field(max_length=127)
    intermediate: bool = False
    facts: dict[str, Any] = Field(sa_type=JSON, default_factory=dict)
    files: dict[str, int] = Field(sa_type=JSON, default_factory=dict)
    created_at: datetime = _time(now=True)
    published_at: datetime | None = _time()
