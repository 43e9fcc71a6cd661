"""The small writes that every change of a task's state is made of.

Locks are always taken in the order job, then task; `claim` never waits for a job. So transactions of the queue cannot
deadlock, and `Database.run` repeats what another program's locks may still break.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, bindparam, select, update
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.errors import LeaseLost, TaskCancelled
from mill_common.hooks.events import note_status, watched
from mill_common.models import Attempt, Job, Outcome, Task, TaskNeed
from mill_common.prepared import Prepared
from mill_common.queue.policy import Policy
from mill_common.queue.predicates import claimable
from mill_common.queue.share import next_share
from mill_common.queue.text import storable
from mill_common.queue.types import Claim
from mill_common.states import JOB_ENDED, JobStatus, TaskStatus, roll_up
from mill_common.tracing import published


@dataclass(kw_only=True)
class LockedJob:
    """What a job's row says while this transaction holds it, and what will be written to it: once, by `roll_up_job`."""

    id: UUID
    owner_id: str
    priority: int
    status: JobStatus
    cancel_requested_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    error_code: str | None
    upload_id: UUID | None
    watched: bool  # whether somebody wants to be told of it
    changes: dict[str, Any] = field(default_factory=dict)


_LOCKED = [name for name in LockedJob.__dataclass_fields__ if name not in ("watched", "changes")]
JOB = select(*(col(getattr(Job, name)) for name in _LOCKED), watched()).where(col(Job.id) == bindparam("job_id"))
_LOCK_JOB = Prepared("lock_job", JOB.with_for_update())


def lock_job(session: Session, job_id: UUID) -> LockedJob | None:
    """The job's row, locked until the transaction ends."""
    row = _LOCK_JOB.first(session.connection(), {"job_id": job_id})
    return LockedJob(**row._asdict()) if row is not None else None


def held(claim: Claim) -> ColumnElement[bool]:
    """The fence: true only while `claim` is the one that holds its task."""
    return (col(Task.id) == claim.task_id) & (col(Task.epoch) == claim.epoch) & (col(Task.status) == TaskStatus.RUNNING)


def end_claim(session: Session, claim: Claim, values: Mapping[str, Any], *, even_if_cancelled: bool = False) -> None:
    """Write the end of a claim, or nothing.

    Raises:
        LeaseLost: Another worker holds the task by now.
        TaskCancelled: The cancellation was committed first.
    """
    fence = held(claim)
    if not even_if_cancelled:
        fence &= col(Task.cancel_requested_at).is_(None)
    ended = session.connection().execute(
        update(Task).where(fence).values(lease_until=None, worker=None, **values).returning(col(Task.id))
    )
    if ended.first() is None:
        raise why_lost(session.connection(), claim)


def why_lost(connection: Connection, claim: Claim) -> LeaseLost | TaskCancelled:
    """Why the end of a claim was not written."""
    still = connection.scalar(select(col(Task.id)).where(held(claim)))
    return LeaseLost() if still is None else TaskCancelled()


def end_attempt(session: Session, claim: Claim, outcome: Outcome, **values: Any) -> None:
    """Close the attempt's row in the history."""
    write_attempt(session, claim.task_id, claim.epoch, ended_at=db_now(), outcome=outcome, **storable(values))


def write_attempt(session: Session, task_id: UUID, epoch: int, **values: Any) -> None:
    """Write some columns of an attempt's row in the history."""
    this = (col(Attempt.task_id) == task_id) & (col(Attempt.epoch) == epoch)
    session.connection().execute(update(Attempt).where(this).values(**values))


def queue_tasks(session: Session, tasks: Sequence[Task], policy: Policy) -> frozenset[str]:
    """Make one job's tasks claimable. Returns the queues to wake once this is committed."""
    if not tasks:
        return frozenset()
    queues = frozenset(task.queue for task in tasks)
    owner_id, rank = tasks[0].owner_id, tasks[0].rank
    shares: dict[str, Iterator[float]] = {}
    for queue in queues:
        first, step, lane = next_share(session, queue=queue, owner_id=owner_id, rank=rank)
        shares[queue] = count(first, step)
    queued = (
        update(Task)
        .where(col(Task.id) == bindparam("queued_id"))
        .values(
            status=TaskStatus.QUEUED,
            stage=None,
            lane=lane,
            share=bindparam("queued_share"),
            run_after=db_now(),
            queued_at=db_now(),
            wake_at=db_now(policy.resend_after_s),
        )
    )
    # On the connection: many rows in one go, which the session's own UPDATE does not do.
    session.connection().execute(
        queued, [{"queued_id": task.id, "queued_share": next(shares[task.queue])} for task in tasks]
    )
    published(tasks)
    return queues


def release_unblocked(session: Session, job_id: UUID, policy: Policy) -> frozenset[str]:
    """Queue the job's blocked tasks whose needs have all completed. The job's row must be locked."""
    needed = aliased(Task)
    unfinished = (
        select(col(TaskNeed.task_id))
        .join(needed, col(needed.id) == col(TaskNeed.needs_id))
        .where(col(TaskNeed.task_id) == col(Task.id), col(needed.status) != TaskStatus.COMPLETED)
        .exists()
    )
    blocked = select(Task).where(col(Task.job_id) == job_id, col(Task.status) == TaskStatus.BLOCKED, ~unfinished)
    return queue_tasks(session, session.scalars(blocked.order_by(col(Task.id))).all(), policy)


def claimable_queues(session: Session, job_id: UUID) -> frozenset[str]:
    """The queues on which the job has tasks that can be claimed."""
    return frozenset(session.scalars(select(col(Task.queue)).where(col(Task.job_id) == job_id, claimable())).all())


def is_held(job: LockedJob) -> bool:
    """Whether the job's waiting tasks must wait for somebody to retry it."""
    return job.status is JobStatus.FAILED


_STATUSES = Prepared(
    "task_statuses", select(col(Task.status)).where(col(Task.job_id) == bindparam("job_id")).distinct()
)


def task_statuses(connection: Connection, job_id: UUID) -> frozenset[TaskStatus]:
    """The statuses that the job's tasks have."""
    return frozenset(status for (status,) in _STATUSES.rows(connection, {"job_id": job_id}))


def roll_up_job(session: Session, job: LockedJob) -> JobStatus:
    """Bring the job's status in line with its tasks', and write what else has changed of it."""
    # A cancelled job stays cancelled, whatever its last tasks still report.
    cancelled = job.cancel_requested_at or "cancel_requested_at" in job.changes
    status = JobStatus.CANCELLED if cancelled else roll_up(task_statuses(session.connection(), job.id))
    values = job.changes | {"status": status, "updated_at": db_now()}
    if status is JobStatus.COMPLETED:
        values["progress"] = 1.0
    if job.started_at is None and status not in (JobStatus.QUEUED, JobStatus.CANCELLED):
        values["started_at"] = db_now()  # the claim found the job locked
    if status in JOB_ENDED and job.completed_at is None:
        values["completed_at"] = db_now()
    elif status not in JOB_ENDED:
        values |= {"completed_at": None, "error_code": None, "error_message": None, "failed_task": None}
    session.connection().execute(update(Job).where(col(Job.id) == job.id).values(**values))
    if job.watched and status is not job.status:
        note_status(session, job.id)
    return status
