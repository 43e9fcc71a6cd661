"""What was counted of jobs that go: taken off in the transaction that deletes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import Session, col

from mill_common.figures.marks import mark_of
from mill_common.figures.stock import STOCK, JobCounts
from mill_common.models import Attempt, Job, Outcome, Stock, Task
from mill_common.states import JobStatus


@dataclass
class Counted:
    """The part of some jobs in what has been counted."""

    tasks: dict[UUID, Counter[str]] = field(default_factory=dict)  # by kind
    jobs: dict[UUID, JobCounts] = field(default_factory=dict)


def counted_of(session: Session, job_ids: Sequence[UUID]) -> Counted:
    """What has been counted of jobs that are there still."""
    mark = mark_of(session, STOCK)
    found = Counted()
    if mark is None:
        return found
    tasks = select(col(Task.job_id), col(Task.kind), func.count()).join(Attempt, col(Attempt.task_id) == col(Task.id))
    completed = col(Attempt.outcome) == Outcome.COMPLETED, col(Attempt.ended_at) < mark
    tasks = tasks.where(col(Task.job_id).in_(job_ids), *completed).group_by(col(Task.job_id), col(Task.kind))
    for job_id, kind, count in session.execute(tasks):
        found.tasks.setdefault(job_id, Counter())[kind] = count
    jobs = select(col(Job.id), col(Job.duration_s), col(Job.stored_bytes)).where(col(Job.id).in_(job_ids))
    before = col(Job.status) == JobStatus.COMPLETED, col(Job.completed_at) < mark
    for job_id, video_s, stored in session.execute(jobs.where(*before)):
        found.jobs[job_id] = JobCounts(1, video_s or 0.0, stored)
    return found


def take_off(session: Session, counted: Counted, gone: Collection[UUID]) -> None:
    """Take jobs off that were deleted in this transaction."""
    tasks: Counter[str] = reduce(add, (counted.tasks[job_id] for job_id in gone if job_id in counted.tasks), Counter())
    jobs = reduce(add, (counted.jobs[job_id] for job_id in gone if job_id in counted.jobs), JobCounts())
    rows = [Stock(kind=kind, tasks=-count) for kind, count in tasks.items()]
    if jobs.jobs:
        rows.append(Stock(jobs=-jobs.jobs, video_s=-jobs.video_s, stored_bytes=-jobs.stored_bytes))
    session.add_all(rows)
