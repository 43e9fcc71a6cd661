"""A claim is kept alive or handed back. `reap.py` takes it away."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import case, literal, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.errors import LeaseLost
from mill_common.models import Job, Outcome, Task
from mill_common.queue.policy import Policy
from mill_common.queue.predicates import running
from mill_common.queue.rows import end_attempt, end_claim, held, is_held, lock_job, roll_up_job, write_attempt
from mill_common.queue.taking import JOB_FACTS, TAKEN, claim_of
from mill_common.queue.text import storable
from mill_common.queue.types import Claim, Spent
from mill_common.states import TaskStatus


def heartbeat(
    session: Session, claim: Claim, *, lease_s: float, progress: float, stage: str, spent: Spent | None = None
) -> bool:
    """Renew the lease and record progress, which never falls. Returns whether the task was cancelled meanwhile.

    `spent` goes to the attempt's history, so that it is known even if the worker is never heard of again.

    Raises:
        LeaseLost: Another worker holds the task by now; nothing was written.
    """
    rises = col(Task.progress) < progress
    row = session.execute(
        update(Task)
        .where(held(claim))
        .values(
            lease_until=db_now(lease_s),
            heartbeat_at=db_now(),
            stage=stage,
            progress=case((rises, literal(progress)), else_=Task.progress),
            progress_at=case((rises, db_now()), else_=Task.progress_at),
        )
        .returning(col(Task.cancel_requested_at))
    ).first()
    if row is None:
        raise LeaseLost
    if spent is not None:
        write_attempt(session, claim.task_id, claim.epoch, **storable(vars(spent)))
    return row[0] is not None


def release(session: Session, claim: Claim, spent: Spent, policy: Policy) -> frozenset[str]:
    """Hand a task back unfinished, with its attempt refunded. Returns the queues to wake once this is committed.

    Raises:
        LeaseLost: Another worker holds the task by now; nothing was written.
        TaskCancelled: The task was cancelled meanwhile; nothing was written.
    """
    job = lock_job(session, claim.job.id)
    hold = job is not None and is_held(job)
    values = {
        "status": TaskStatus.BLOCKED if hold else TaskStatus.QUEUED,
        "stage": "handed_back",
        "attempts": Task.attempts - 1,
        "run_after": db_now(),
        "wake_at": db_now(policy.resend_after_s),
    }
    end_claim(session, claim, values)
    end_attempt(session, claim, Outcome.HANDED_BACK, **vars(spent))
    if job is not None:
        roll_up_job(session, job)
    return frozenset() if hold else frozenset({claim.queue})


def unanswered(session: Session, *, queue: str, worker: str, since: datetime) -> list[Claim]:
    """What runs under a worker's name that was claimed at `since`, by the database's clock, or later."""
    claimed = (col(Task.worker) == worker) & (col(Task.queue) == queue) & (col(Task.started_at) >= since)
    rows = select(*TAKEN, *JOB_FACTS).join(Job, col(Job.id) == col(Task.job_id)).where(running(), claimed)
    return [claim_of(row, row) for row in session.connection().execute(rows)]


def expire_silent(session: Session, *, silent_s: float) -> int:
    """End the leases of running tasks that nobody was heard of for so long, or whose row says no lease at all.

    For rows that were written by hand or under a longer lease. Returns how many.
    """
    silent = col(Task.lease_until).is_(None) | (col(Task.heartbeat_at) < db_now(-silent_s))
    rows = session.execute(
        update(Task).where(running(), silent).values(lease_until=db_now(-1.0)).returning(col(Task.id))
    )
    return len(rows.all())


def expire_leases(session: Session, *, worker_prefix: str) -> int:
    """End the leases of workers known to be gone, so that the next sweep takes their tasks. Returns how many."""
    gone = update(Task).where(running(), col(Task.worker).startswith(worker_prefix, autoescape=True))
    rows = session.execute(gone.values(lease_until=db_now(-1.0)).returning(col(Task.id)))
    return len(rows.all())
