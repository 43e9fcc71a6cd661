"""A worker takes a task."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update
from sqlmodel import Session, col

from mill_common.database import session_on
from mill_common.hooks.events import note_status, watched
from mill_common.models import Attempt, Job, Task
from mill_common.queue.predicates import claimable
from mill_common.queue.quick_claim import QUICK_CLAIM
from mill_common.queue.taking import BY_AGE, JOB_FACTS, TAKEN, begin_job, claim_of, taking
from mill_common.queue.turn import BY_SHARE, COMMON, Turn, due, may_run, move_to_own_lane, next_turn, uncapped
from mill_common.queue.types import Claim

Order = tuple[Any, ...]


def claim(connection: Connection, *, queue: str, worker: str, lease_s: float) -> Claim | None:
    """Take the next task of `queue` for `lease_s` seconds: by priority, then fair share between owners, then age."""
    how = {"on_queue": queue, "by_worker": worker, "lease_s": lease_s}
    row = QUICK_CLAIM.first(connection, how) if connection.dialect.name == "postgresql" else None
    if row is not None and not row.begun_and_watched:
        return claim_of(row, row)
    with session_on(connection) as session:
        if row is None:
            return _claim_in_steps(session, queue, how)
        note_status(session, row.job_id)
        return claim_of(row, row)


def _claim_in_steps(session: Session, queue: str, how: dict[str, Any]) -> Claim | None:
    passed_over: set[str] = set()
    while (turn := next_turn(session, queue, passed_over)) is not None:
        if turn.lane == COMMON and turn.running_cap is not None:
            move_to_own_lane(session, turn.owner_id, queue)
        elif may_run(session, turn, queue):
            return _claim_in(session, turn, how)
        else:
            passed_over.add(turn.owner_id)
    return None


def _claim_in(session: Session, turn: Turn, how: dict[str, Any]) -> Claim | None:
    of_owner = due() & (col(Task.owner_id) == turn.owner_id) & (col(Task.rank) == turn.rank)
    in_lane = due() & (col(Task.lane) == turn.lane)
    if turn.lane == COMMON:
        in_lane &= uncapped()
    # If others are taking all of that owner's tasks at this moment, anybody's will do.
    task = _take(session, of_owner, BY_AGE, how) or _take(session, in_lane, BY_SHARE, how)
    if task is None:
        return None
    if task.owner_id == turn.owner_id and task.id != turn.id:
        _swap_share(session, turn.id, task.share)
    session.execute(insert(Attempt).values(task_id=task.id, epoch=task.epoch, worker=task.worker))
    began = session.execute(begin_job(col(Job.id) == task.job_id).returning(col(Job.id))).first() is not None
    job = session.execute(select(*JOB_FACTS, watched()).where(col(Job.id) == task.job_id)).one()
    if began and job.watched:
        note_status(session, task.job_id)
    return claim_of(task, job)


def _take(session: Session, due: ColumnElement[bool], order: Order, how: dict[str, Any]) -> Row[Any] | None:
    following = (
        select(col(Task.id)).where(due).order_by(*order).limit(1).with_for_update(skip_locked=True).scalar_subquery()
    )
    taken = update(Task).where(col(Task.id) == following).values(taking()).returning(*TAKEN)
    return session.connection().execute(taken, how).one_or_none()


def _swap_share(session: Session, turn_id: UUID, share: float) -> None:
    """Give the number that was not used to the task whose turn it was. Never waits: one more turn does no harm."""
    waiting = select(col(Task.id)).where(col(Task.id) == turn_id, claimable()).with_for_update(skip_locked=True)
    session.execute(update(Task).where(col(Task.id) == waiting.scalar_subquery()).values(share=share))
