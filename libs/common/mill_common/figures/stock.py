"""How many jobs, tasks and bytes there are.

What is completed stays as it is until it is deleted, and is nearly everything: so it is counted every few minutes
(`recount`), and whatever is deleted meanwhile is taken off (`removal`). What was completed since, and what is not
completed, is counted whenever somebody asks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import delete, func, select, true
from sqlmodel import Session, col

from mill_common.database import Database, freeze
from mill_common.figures.marks import mark_of, set_mark, settled
from mill_common.ids import first_of
from mill_common.models import Attempt, Job, Outcome, Owner, Stock, Task, Upload
from mill_common.states import JobStatus, TaskStatus

STOCK = "stock"
_OPEN_TASKS = [status for status in TaskStatus if status is not TaskStatus.COMPLETED]
_OPEN_JOBS = [status for status in JobStatus if status is not JobStatus.COMPLETED]
_OF_JOBS = (Stock.jobs, Stock.video_s, Stock.stored_bytes)

TaskCounts = Mapping[tuple[TaskStatus, str], int]
"""Tasks by status and kind."""


@dataclass(frozen=True)
class JobCounts:
    """Jobs of one status."""

    jobs: int = 0
    video_s: float = 0.0
    stored_bytes: int = 0

    def __add__(self, other: JobCounts) -> JobCounts:
        return JobCounts(self.jobs + other.jobs, self.video_s + other.video_s, self.stored_bytes + other.stored_bytes)


def recount(database: Database, latest: datetime | None = None) -> None:
    """Count what was completed before `latest`, or before now. It reads every job, and an index entry of every task."""
    database.run(partial(_recount, latest=latest))


def task_counts(session: Session) -> TaskCounts:
    """All tasks. For a session that sees one moment: see `Database.snapshot`."""
    mark = mark_of(session, STOCK)
    counted = select(col(Task.status), col(Task.kind), func.count()).group_by(col(Task.status), col(Task.kind))
    if mark is None:
        return _counts(session, counted)
    found = _counts(session, counted.where(col(Task.status).in_(_OPEN_TASKS)))
    completed = Counter(_of_kind(session, select(col(Stock.kind), func.sum(col(Stock.tasks))), col(Stock.kind)))
    completed.update(_completed_since(session, mark))
    return found | {(TaskStatus.COMPLETED, kind): count for kind, count in completed.items() if count}


def job_counts(session: Session, collection: str | None = None) -> dict[JobStatus, JobCounts]:
    """All jobs, or those of a collection, which are counted each time. For a session that sees one moment."""
    if collection is not None:
        return _jobs(session, col(Job.collection) == collection)
    mark = mark_of(session, STOCK)
    if mark is None:
        return _jobs(session)
    found = _open_jobs(session)
    since = _jobs(session, col(Job.status) == JobStatus.COMPLETED, col(Job.completed_at) >= mark)
    jobs, video_s, stored = session.execute(select(*(func.sum(col(column)) for column in _OF_JOBS))).one()
    known = JobCounts(int(jobs or 0), float(video_s or 0), int(stored or 0))
    return {**found, JobStatus.COMPLETED: known + since.get(JobStatus.COMPLETED, JobCounts())}


def upload_bytes(session: Session) -> int:
    """What uploads hold, those deleted lately included. For a session that sees one moment."""
    mark = mark_of(session, STOCK)
    size = select(func.coalesce(func.sum(col(Upload.size)), 0))
    if mark is None:
        return int(session.scalar(size) or 0)
    known = session.scalar(select(func.coalesce(func.sum(col(Stock.upload_bytes)), 0)))
    return int(known or 0) + int(session.scalar(size.where(col(Upload.id) >= first_of(mark))) or 0)


def _recount(session: Session, latest: datetime | None) -> None:
    freeze(session)
    mark = settled(session, latest)
    completed = select(col(Task.kind), func.count()).where(col(Task.status) == TaskStatus.COMPLETED)
    tasks = Counter(_of_kind(session, completed, col(Task.kind)))
    tasks.subtract(_completed_since(session, mark))
    done = _jobs(session, col(Job.status) == JobStatus.COMPLETED, col(Job.completed_at) < mark)
    jobs = done.get(JobStatus.COMPLETED, JobCounts())
    size = select(func.coalesce(func.sum(col(Upload.size)), 0)).where(col(Upload.id) < first_of(mark))
    # What was taken off is gone from the rows by now, as this transaction sees them.
    session.execute(delete(Stock))
    rows = [Stock(**vars(jobs), upload_bytes=int(session.scalar(size) or 0))]
    rows += [Stock(kind=kind, tasks=count) for kind, count in tasks.items()]
    session.add_all(rows)
    set_mark(session, STOCK, mark)


def _completed_since(session: Session, mark: datetime) -> dict[str, int]:
    """Completed tasks by kind, found by the attempts that completed them."""
    since = select(col(Task.kind), func.count()).join(Attempt, col(Attempt.task_id) == col(Task.id))
    since = since.where(col(Attempt.ended_at) >= mark, col(Attempt.outcome) == Outcome.COMPLETED)
    return _of_kind(session, since, col(Task.kind))


def _of_kind(session: Session, counted: Any, kind: Any) -> dict[str, int]:
    return {name: int(count) for name, count in session.execute(counted.group_by(kind))}


def _open_jobs(session: Session) -> dict[JobStatus, JobCounts]:
    # Owner by owner, because every index of statuses begins with the owner, and not as the planner sees fit: it would
    # read every job.
    is_open = col(Job.status).in_(_OPEN_JOBS)
    if session.get_bind().dialect.name == "sqlite":
        return _jobs(session, col(Job.owner_id).in_(select(col(Owner.id))), is_open)
    of_owner = _sums().where(col(Job.owner_id) == col(Owner.id), is_open).correlate(Owner).lateral()
    found: dict[JobStatus, JobCounts] = defaultdict(JobCounts)
    for status, jobs, video_s, stored in session.execute(select(of_owner).select_from(Owner).join(of_owner, true())):
        found[status] += JobCounts(jobs, float(video_s), int(stored))
    return found


def _jobs(session: Session, *wanted: Any) -> dict[JobStatus, JobCounts]:
    rows = session.execute(_sums().where(*wanted))
    return {status: JobCounts(jobs, float(video_s), int(stored)) for status, jobs, video_s, stored in rows}


def _sums() -> Any:
    sums = (func.sum(func.coalesce(Job.duration_s, 0.0)), func.sum(col(Job.stored_bytes)))
    return select(col(Job.status), func.count(), *sums).group_by(col(Job.status))


def _counts(session: Session, counted: Any) -> dict[tuple[TaskStatus, str], int]:
    return {(status, kind): count for status, kind, count in session.execute(counted)}
