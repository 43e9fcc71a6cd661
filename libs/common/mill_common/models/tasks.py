"""The steps of a job. Sizes are bytes, times UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import JSON, by_value, time_column
from mill_common.ids import uuid7
from mill_common.states import TaskStatus

_CLAIMABLE = sa.text("status IN ('queued', 'retrying')")
_RUNNING = sa.text("status = 'running'")
_FAILED = sa.text("status = 'failed'")


class Task(SQLModel, table=True):
    """One step of a job on one queue. Only `mill_common.queue` writes it."""

    __tablename__ = "task"
    __table_args__ = (
        sa.UniqueConstraint("job_id", "name"),
        sa.Index(
            "ix_task_claim",
            "queue",
            "lane",
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
        sa.Index("ix_task_status_kind", "status", "kind"),  # small: what counts go by
        sa.Index("ix_task_wake", "wake_at", postgresql_where=_CLAIMABLE, sqlite_where=_CLAIMABLE),
        sa.Index("ix_task_running", "queue", "owner_id", postgresql_where=_RUNNING, sqlite_where=_RUNNING),
        sa.Index("ix_task_lease", "lease_until", postgresql_where=_RUNNING, sqlite_where=_RUNNING),
        sa.Index("ix_task_failed", "queue", "finished_at", postgresql_where=_FAILED, sqlite_where=_FAILED),
    )

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    job_id: UUID = Field(foreign_key="job.id", ondelete="CASCADE")
    owner_id: str = Field(max_length=64)
    queue: str = Field(max_length=32)
    kind: str = Field(max_length=32)
    name: str = Field(max_length=64)
    params: dict[str, Any] = Field(sa_type=JSON, default_factory=dict)
    status: TaskStatus = Field(default=TaskStatus.BLOCKED, sa_type=by_value(TaskStatus))
    stage: str | None = Field(default=None, max_length=64)
    progress: float = 0.0  # in [0, 1]
    weight: float = 1.0  # of the job's progress
    rank: int = Field(default=4, sa_type=sa.SmallInteger)  # 9 - priority: ascending, so that a plain index serves
    lane: str = Field(default="", max_length=64)  # where it waits: see `queue/turn.py`
    share: float = 0.0  # virtual finish time: the claim order between owners, see `queue/share.py`
    epoch: int = 0  # rises at every claim, never falls: the fence
    attempts: int = 0  # claims, less those handed back
    max_attempts: int = 5
    outages: int = 0  # attempts handed back because something that they needed was down
    crashes: int = 0  # attempts whose worker was never heard of again
    worker: str | None = Field(default=None, max_length=128)
    result: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    error_code: str | None = Field(default=None, max_length=64)
    error_message: str | None = Field(default=None, max_length=2000)
    run_after: datetime = time_column(now=True)  # not claimed before
    wake_at: datetime = time_column(now=True)  # when the watchdog sends a wake-up if nobody has claimed it by then
    lease_until: datetime | None = time_column()
    heartbeat_at: datetime | None = time_column()
    progress_at: datetime | None = time_column()  # when progress last rose
    cancel_requested_at: datetime | None = time_column()
    created_at: datetime = time_column(now=True)
    queued_at: datetime | None = time_column()
    started_at: datetime | None = time_column()  # of the latest attempt
    finished_at: datetime | None = time_column()


class TaskNeed(SQLModel, table=True):
    """`task_id` stays blocked until `needs_id` has completed."""

    __tablename__ = "task_need"

    task_id: UUID = Field(foreign_key="task.id", primary_key=True, ondelete="CASCADE")
    needs_id: UUID = Field(foreign_key="task.id", primary_key=True, index=True, ondelete="CASCADE")
