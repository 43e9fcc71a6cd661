"""Jobs in which nothing moves any more.

Slow is not dead: a job is stuck only when no task of it has progressed for the threshold, though one of them runs and
its worker sends heartbeats. A job that waits for a worker is not stuck, however long the queue is; nor is one whose
worker fell silent, because its lease takes care of that.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, and_, or_, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import Attempt, Job, Outcome, Task
from mill_common.queue.outcome import fail_job
from mill_common.queue.predicates import claimable, running
from mill_common.queue.rows import LockedJob, lock_job, roll_up_job
from mill_common.states import JobStatus, TaskStatus

STUCK = "stuck"
_ACTIVE = (JobStatus.QUEUED, JobStatus.PROCESSING)


def stuck_jobs(session: Session, cutoff: datetime, *, limit: int = 1000) -> list[UUID]:
    """The ids of jobs in which nothing has moved since `cutoff`, the oldest first."""
    found = select(col(Job.id)).where(_is_stuck(cutoff)).order_by(col(Job.id)).limit(limit)
    return list(session.scalars(found).all())


def fail_stuck_job(session: Session, job_id: UUID, cutoff: datetime) -> bool:
    """Fail a job if nothing has moved in it since `cutoff`. Its workers learn of it by their next heartbeat.

    Returns whether it was stuck still.
    """
    job = lock_job(session, job_id)
    if job is None:
        return False
    # A worker that is just writing progress holds its task's row: what it wrote is seen once it is ours.
    of_job = col(Task.job_id) == job_id
    session.execute(select(col(Task.id)).where(of_job, running()).with_for_update())
    if session.scalar(select(col(Job.id)).where(col(Job.id) == job_id, _is_stuck(cutoff))) is None:
        return False
    minutes = (session.execute(select(db_now())).scalar_one() - cutoff).total_seconds() / 60
    end_tasks(session, job, STUCK, f"Nothing of the job has progressed for {minutes:.0f} minutes.")
    roll_up_job(session, job)
    return True


def end_tasks(session: Session, job: LockedJob, code: str, message: str, *, even_waiting: bool = False) -> None:
    """Fail a job by failing what runs of it, or if nothing does, what is blocked; with `even_waiting`, what waits, too.

    Workers learn by the fence. What was not begun is held until somebody retries the job.
    """
    error = {"error_code": code, "error_message": message}
    ended = _running_or_blocked(session, job.id, even_waiting=even_waiting)
    ids = [task.id for task in ended]
    failed = {"status": TaskStatus.FAILED, "finished_at": db_now(), "lease_until": None, "worker": None, **error}
    session.execute(update(Task).where(col(Task.id).in_(ids)).values(**failed))
    open_attempt = col(Attempt.task_id).in_(ids) & col(Attempt.ended_at).is_(None)
    session.execute(update(Attempt).where(open_attempt).values(ended_at=db_now(), outcome=Outcome.FAILED, **error))
    fail_job(session, job, ended[0].name, **error)


def _running_or_blocked(session: Session, job_id: UUID, *, even_waiting: bool) -> Sequence[Row[tuple[UUID, str]]]:
    blocked = col(Task.status) == TaskStatus.BLOCKED
    waiting = or_(claimable(), blocked) if even_waiting else blocked
    for these in (running(), waiting):
        found = select(col(Task.id), col(Task.name)).where(col(Task.job_id) == job_id, these).order_by(col(Task.id))
        # Locked, because a claim does not wait for the job's row.
        if rows := session.execute(found.with_for_update()).all():
            return rows
    raise AssertionError("a job that has not ended has a task that has not")


def _is_stuck(cutoff: datetime) -> ColumnElement[bool]:
    of_job = col(Task.job_id) == col(Job.id)
    moved = or_(
        *(column >= cutoff for column in map(col, (Task.progress_at, Task.started_at, Task.finished_at))),
        col(Task.queued_at) >= cutoff,
        claimable(),
        and_(running(), col(Task.lease_until) < db_now()),
    )
    open_task = select(col(Task.id)).where(of_job, or_(running(), col(Task.status) == TaskStatus.BLOCKED))
    return and_(
        col(Job.status).in_(_ACTIVE),
        col(Job.created_at) < cutoff,
        ~select(col(Task.id)).where(of_job, moved).exists(),
        open_task.exists(),
    )
