"""The rows of PostgreSQL's views, for SQLite, which lacks percentiles and arithmetic on times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from statistics import fmean
from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import Job, Task
from mill_common.queue.predicates import running
from mill_common.states import ENDED, JOB_ENDED, TaskStatus

Rows = list[dict[str, Any]]


def dead_letter_jobs(session: Session) -> Rows:
    """See `views.dead_letter_jobs`."""
    columns: list[Any] = [
        col(Task.job_id).label("id"),
        col(Task.id).label("task_id"),
        col(Task.owner_id),
        col(Job.filename),
        col(Task.name).label("task"),
        col(Task.queue),
        col(Task.stage),
        col(Task.progress),
        col(Task.attempts),
        col(Task.max_attempts),
        col(Task.crashes),
        col(Task.error_code),
        col(Task.error_message).label("last_error"),
        col(Job.created_at),
        col(Task.finished_at).label("failed_at"),
    ]
    failed = (
        select(*columns)
        .join(Job, col(Job.id) == col(Task.job_id))
        .where(col(Task.status) == TaskStatus.FAILED)
        .order_by(col(Task.finished_at).desc(), col(Task.id))
    )
    return [dict(row) for row in session.execute(failed).mappings()]


def job_queue_stats(session: Session) -> Rows:
    """See `views.job_queue_stats`."""
    count, oldest = func.count(), func.min(Task.created_at, type_=Task.created_at.type)  # type: ignore[attr-defined]
    depths = (
        select(col(Task.queue), col(Task.status), count, func.avg(Task.attempts), oldest)
        .group_by(col(Task.queue), col(Task.status))
        .order_by(col(Task.queue), col(Task.status))
    )
    now = _now(session)
    return [
        {
            "queue": queue,
            "status": status.value,
            "count": tasks,
            "avg_attempts": attempts,
            "oldest_at": at,
            "oldest_seconds": _seconds(now, at),
        }
        for queue, status, tasks, attempts, at in session.execute(depths)
    ]


def running_jobs_monitor(session: Session) -> Rows:
    """See `views.running_jobs_monitor`."""
    tasks = session.scalars(select(Task).where(running()).order_by(col(Task.started_at), col(Task.id))).all()
    now = _now(session)
    return [
        {
            "id": task.job_id,
            "task_id": task.id,
            "task": task.name,
            "queue": task.queue,
            "worker": task.worker,
            "stage": task.stage,
            "progress": task.progress,
            "attempts": task.attempts,
            "running_seconds": _seconds(now, task.started_at),
            "heartbeat_age_seconds": _seconds(now, task.heartbeat_at),
            "progress_age_seconds": _seconds(now, task.progress_at),
        }
        for task in tasks
    ]


def job_timing_stats(session: Session) -> Rows:
    """See `views.job_timing_stats`."""
    ended = select(col(Job.status), col(Job.started_at), col(Job.completed_at)).where(
        col(Job.status).in_(JOB_ENDED), col(Job.started_at).is_not(None), col(Job.completed_at).is_not(None)
    )
    durations: dict[str, list[float]] = defaultdict(list)
    for status, started, completed in session.execute(ended):
        durations[status.value].append(_seconds(completed, started))
    return [
        {
            "status": status,
            "count": len(found),
            "avg_duration_seconds": fmean(found),
            "p50_seconds": percentile(found, 0.5),
            "p95_seconds": percentile(found, 0.95),
        }
        for status, found in sorted(durations.items())
    ]


def stage_distribution(session: Session) -> Rows:
    """See `views.stage_distribution`."""
    tasks = session.scalars(select(Task).where(col(Task.status).not_in(ENDED))).all()
    now = _now(session)
    places: dict[tuple[str, str], list[Task]] = defaultdict(list)
    for task in tasks:
        at = task.stage if task.status is TaskStatus.RUNNING and task.stage else task.status.value
        places[task.kind, at].append(task)
    by_size: Iterable[tuple[tuple[str, str], list[Task]]]
    by_size = sorted(places.items(), key=lambda place: (-len(place[1]), place[0]))
    return [
        {
            "kind": kind,
            "stage": stage,
            "count": len(found),
            "avg_progress": fmean(task.progress for task in found),
            "avg_age_seconds": fmean(_seconds(now, task.queued_at or task.created_at) for task in found),
        }
        for (kind, stage), found in by_size
    ]


def percentile(values: Sequence[float], fraction: float) -> float:
    """The value below which `fraction` of the values lie, interpolated as `percentile_cont` does."""
    ordered = sorted(values)
    place = fraction * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def _now(session: Session) -> datetime:
    at: datetime = session.execute(select(db_now())).scalar_one()
    return at


def _seconds(until: datetime, since: datetime | None) -> float:
    return (until - since) / timedelta(seconds=1) if since else 0.0
