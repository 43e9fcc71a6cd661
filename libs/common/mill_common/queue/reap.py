"""Tasks are taken from workers that were never heard of again.

All that have died at once, be it a hundred thousand, are taken in steps of thousands. Only a job whose task became a
dead letter is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, String, Update, case, cast, func, literal, or_, select, true, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import Attempt, Job, Outcome, Task
from mill_common.queue.outcome import fail_job
from mill_common.queue.policy import Policy
from mill_common.queue.predicates import running
from mill_common.queue.rows import lock_job, roll_up_job
from mill_common.states import JobStatus, TaskStatus

HEARTBEAT_TIMEOUT = "HEARTBEAT_TIMEOUT"
AT_ONCE = 25_000  # each step looks for its tasks anew, among all that run


@dataclass(frozen=True)
class Reaped:
    """A task that was taken from its worker."""

    job_id: UUID
    task_id: UUID
    died: bool  # it is a dead letter now
    job_waits: bool  # whose job its claim had found locked


@dataclass(frozen=True)
class Sweep:
    """What one step took."""

    taken: int
    noted: Sequence[Reaped]  # those of which there is more to say


def reap(session: Session, policy: Policy, *, note_all: bool = False, limit: int = AT_ONCE) -> Sweep:
    """Take up to `limit` tasks whose leases have run out from their workers, and count a crash of each.

    A task whose job somebody holds is left to the next sweep, so that nobody, however frozen, can make it wait.
    Without `note_all` only dead letters and the like are noted: reading a hundred thousand rows takes as long as
    writing them.
    """
    on_postgres = session.connection().dialect.name == "postgresql"
    sweep = (_in_one if on_postgres else _in_steps)(session, policy, limit, note_all)
    for job_id in {task.job_id for task in sweep.noted if task.died or task.job_waits}:
        _follow(session, job_id)
    return sweep


def _in_one(session: Session, policy: Policy, limit: int, note_all: bool) -> Sweep:
    dead = _dead(limit).cte("dead")
    taken = _take(select(dead.c.id), policy).cte("taken")
    closed = _close(taken.c, policy).cte("closed")
    facts = (taken.c.job_id, taken.c.id, taken.c.status == TaskStatus.FAILED, col(Job.status) == JobStatus.QUEUED)
    worth = true() if note_all else or_(*facts[2:])
    noted = select(func.count(), *(func.array_agg(fact).filter(worth) for fact in facts))
    noted = noted.select_from(taken).join(Job, col(Job.id) == taken.c.job_id)
    count, *columns = session.connection().execute(noted.add_cte(closed)).one()
    return Sweep(count, [Reaped(*fact) for fact in zip(*(column or () for column in columns), strict=True)])


def _in_steps(session: Session, policy: Policy, limit: int, note_all: bool) -> Sweep:
    taken = [row.id for row in session.connection().execute(_take(_dead(limit), policy))]
    this = col(Task.id).in_(taken)
    session.connection().execute(_close(Task, policy).where(this))
    facts = (col(Task.job_id), col(Task.id), col(Task.status) == TaskStatus.FAILED, col(Job.status) == JobStatus.QUEUED)
    rows = session.connection().execute(select(*facts).join(Job, col(Job.id) == col(Task.job_id)).where(this))
    every = [Reaped(*row) for row in rows]
    return Sweep(len(every), [task for task in every if note_all or task.died or task.job_waits])


def _dead(limit: int) -> Select[Any]:
    # Both rows: what becomes of the task hangs on its job's status.
    return (
        select(col(Task.id))
        .join(Job, col(Job.id) == col(Task.job_id))
        .where(running(), col(Task.lease_until) < db_now())
        .order_by(col(Task.lease_until))
        .limit(limit)
        .with_for_update(skip_locked=True, key_share=True)
    )


def _take(dead: Select[Any], policy: Policy) -> Update:
    cancelled = col(Task.cancel_requested_at).is_not(None)
    dies = or_(col(Task.crashes) + 1 >= policy.max_crashes, col(Task.attempts) >= col(Task.max_attempts))
    job_failed = select(col(Job.status) == JobStatus.FAILED).where(col(Job.id) == col(Task.job_id)).scalar_subquery()
    status = case(
        (cancelled, _status(TaskStatus.CANCELLED)),
        (dies, _status(TaskStatus.FAILED)),
        (job_failed, _status(TaskStatus.BLOCKED)),
        else_=_status(TaskStatus.RETRYING),
    )
    values = {
        "status": status,
        "stage": "released_stale",
        "lease_until": None,
        "worker": None,
        "crashes": Task.crashes + 1,
        "finished_at": case((or_(cancelled, dies), db_now())),
        "error_code": case((~cancelled, HEARTBEAT_TIMEOUT)),
        "error_message": case((~cancelled, _epitaph(col(Task.worker), col(Task.crashes) + 1, policy))),
        # The task is not to blame yet: somebody else may take it at once.
        "run_after": db_now(),
        "wake_at": db_now(),
    }
    taken = (col(Task.id), col(Task.job_id), col(Task.epoch), col(Task.status), col(Task.crashes))
    return update(Task).where(col(Task.id).in_(dead)).values(values).returning(*taken)


def _close(task: Any, policy: Policy) -> Update:
    this = (col(Attempt.task_id) == task.id) & (col(Attempt.epoch) == task.epoch)
    epitaph = _epitaph(col(Attempt.worker), task.crashes, policy)
    error = {"error_code": HEARTBEAT_TIMEOUT, "error_message": epitaph}
    return update(Attempt).where(this).values(ended_at=db_now(), outcome=Outcome.LEASE_EXPIRED, **error)


def _epitaph(worker: Any, crash: Any, policy: Policy) -> ColumnElement[str]:
    who = literal("The worker timed out: ", String).concat(worker).concat(" was not heard of; crash ")
    return who.concat(cast(crash, String)).concat(f" of {policy.max_crashes}.")


def _status(status: TaskStatus) -> ColumnElement[Any]:
    return literal(status, Task.__table__.c.status.type)  # type: ignore[attr-defined]  # as SQLModel types it


def _follow(session: Session, job_id: UUID) -> None:
    job = lock_job(session, job_id)
    assert job is not None, "its row is locked"
    died = select(col(Task.name), col(Task.error_message)).where(
        col(Task.job_id) == job_id, col(Task.status) == TaskStatus.FAILED
    )
    first = session.execute(died.order_by(col(Task.finished_at)).limit(1)).first()
    if first is not None:
        fail_job(session, job, first.name, HEARTBEAT_TIMEOUT, first.error_message)
    roll_up_job(session, job)
