"""What operators ask of the queue: dead letters, depths, what runs, how long jobs take, where they stand.

On PostgreSQL these are views, so that `psql` answers them too; SQLite gets the same rows from `views_on_sqlite`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import text
from sqlmodel import Session

from mill_common import views_on_sqlite

Row = TypeVar("Row")


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A task that failed for good, with its job."""

    id: UUID  # of the job
    task_id: UUID
    owner_id: str
    filename: str
    task: str
    queue: str
    stage: str | None
    progress: float
    attempts: int
    max_attempts: int
    crashes: int
    error_code: str | None
    last_error: str | None
    created_at: datetime
    failed_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class QueueDepth:
    """The tasks of one queue in one status."""

    queue: str
    status: str
    count: int
    avg_attempts: float
    oldest_at: datetime
    oldest_seconds: float


@dataclass(frozen=True, kw_only=True)
class RunningTask:
    """A task that a worker holds."""

    id: UUID  # of the job
    task_id: UUID
    task: str
    queue: str
    worker: str | None
    stage: str | None
    progress: float
    attempts: int
    running_seconds: float
    heartbeat_age_seconds: float
    progress_age_seconds: float


@dataclass(frozen=True, kw_only=True)
class JobTiming:
    """How long jobs that ended in one status took from their first claim to their end, in seconds."""

    status: str
    count: int
    avg_duration_seconds: float
    p50_seconds: float
    p95_seconds: float


@dataclass(frozen=True, kw_only=True)
class StageDepth:
    """The tasks that have not ended, by kind and stage; what was not claimed yet stands in its status."""

    kind: str
    stage: str
    count: int
    avg_progress: float
    avg_age_seconds: float  # since they were queued, or made if they never were


def dead_letter_jobs(session: Session, *, limit: int = 100) -> list[DeadLetter]:
    """The dead letters, the latest first."""
    return _read(session, "dead_letter_jobs", DeadLetter, order="failed_at DESC, task_id", limit=limit)


def job_queue_stats(session: Session) -> list[QueueDepth]:
    """How many tasks there are, by queue and status."""
    return _read(session, "job_queue_stats", QueueDepth, order="queue, status")


def running_jobs_monitor(session: Session) -> list[RunningTask]:
    """What runs, the longest first."""
    return _read(session, "running_jobs_monitor", RunningTask, order="running_seconds DESC, task_id")


def job_timing_stats(session: Session) -> list[JobTiming]:
    """How long jobs took, by how they ended."""
    return _read(session, "job_timing_stats", JobTiming, order="status")


def stage_distribution(session: Session) -> list[StageDepth]:
    """Where tasks stand, the most crowded stage first."""
    return _read(session, "stage_distribution", StageDepth, order="count DESC, kind, stage")


VIEWS: Mapping[str, Callable[[Session], Sequence[Any]]] = {
    "dead_letter_jobs": dead_letter_jobs,
    "job_queue_stats": job_queue_stats,
    "running_jobs_monitor": running_jobs_monitor,
    "job_timing_stats": job_timing_stats,
    "stage_distribution": stage_distribution,
}


def _read(session: Session, view: str, row: type[Row], *, order: str, limit: int = 10_000) -> list[Row]:
    found: Sequence[Mapping[Any, Any]]
    if session.get_bind().dialect.name == "sqlite":
        found = getattr(views_on_sqlite, view)(session)[:limit]
    else:
        columns = ", ".join(field.name for field in fields(row))  # type: ignore[arg-type] # every row is a dataclass
        # Nothing here comes from outside: names are our own.
        statement = text(f"SELECT {columns} FROM {view} ORDER BY {order} LIMIT :limit")  # noqa: S608
        found = session.execute(statement, {"limit": limit}).mappings().all()
    return [row(**{name: _utc(value) for name, value in values.items()}) for values in found]


def _utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) else value
