"""Whose turn it is.

Every task waits in a lane: the common one, or its owner's own if the owner has ever had a cap on how many tasks of one
queue run at a time. A claim looks at the head of the common lane and at the heads of those lanes whose owners are below
their caps. So a capped owner's waiting tasks are in nobody's way, however many there are.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    func,
    literal,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.orm import aliased
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import Owner, Task
from mill_common.queue.predicates import claimable, running

# As the index says it: SQLite would write a bound one as "IS 1", and not use it.
_HAS_LANE: Any = text("owner.has_lane IS TRUE")
COMMON = ""  # the lane of all who have none of their own


@dataclass(frozen=True, kw_only=True)
class Turn:
    """The task whose turn it is, and its owner's cap."""

    id: UUID
    owner_id: str
    rank: int
    share: float
    lane: str
    running_cap: int | None


def due() -> ColumnElement[bool]:
    """Whether a task of the queue `:on_queue` may be claimed now."""
    return claimable() & (col(Task.queue) == bindparam("on_queue")) & (col(Task.run_after) <= db_now())


BY_SHARE = (col(Task.rank), col(Task.share), col(Task.id))
_HEAD: tuple[Any, ...] = (col(Task.id), col(Task.owner_id), col(Task.rank), col(Task.share), col(Task.lane))


def _running_of(owner_id: Any) -> ColumnElement[int]:
    task = aliased(Task)
    of_owner = (col(task.queue) == bindparam("on_queue")) & (col(task.owner_id) == owner_id)
    count = select(func.count()).select_from(task).where(running(task), of_owner)
    return count.scalar_subquery()


def turn_of(*more: ColumnElement[bool]) -> Select[Any]:
    """Whose turn it is; `more` may leave owners out."""
    common = select(*_HEAD).where(due(), col(Task.lane) == COMMON).order_by(*BY_SHARE).limit(1).subquery()
    first = (
        select(col(Task.id))
        .where(due(), col(Task.lane) == col(Owner.id))
        .order_by(*BY_SHARE)
        .limit(1)
        .correlate(Owner)
        .scalar_subquery()
    )
    waiting = aliased(Task)
    below_cap = or_(col(Owner.running_cap).is_(None), _running_of(col(Owner.id)) < col(Owner.running_cap))
    in_lanes = (
        select(*(getattr(waiting, column.key) for column in _HEAD), col(Owner.running_cap))
        .select_from(Owner)
        .join(waiting, col(waiting.id) == first)
        .where(_HAS_LANE, below_cap, *more)
    )
    in_common = select(common, col(Owner.running_cap)).join(Owner, col(Owner.id) == common.c.owner_id)
    heads = union_all(in_common, in_lanes).subquery()
    return select(heads).order_by(heads.c.rank, heads.c.share, heads.c.id).limit(1)


_NEXT_TURN = turn_of(col(Owner.id).not_in(bindparam("passed_over", expanding=True)))


def next_turn(session: Session, queue: str, passed_over: Collection[str]) -> Turn | None:
    """Whose turn it is on `queue`, `passed_over` left out."""
    row = session.connection().execute(_NEXT_TURN, {"on_queue": queue, "passed_over": list(passed_over)}).first()
    return Turn(**row._mapping) if row is not None else None


def uncapped() -> ColumnElement[bool]:
    """Whether a task's owner has no lane of its own, and so no cap."""
    return col(Task.owner_id).not_in(select(col(Owner.id)).where(_HAS_LANE))


def may_run(session: Session, turn: Turn, queue: str) -> bool:
    """Whether the owner is below its cap, which stays so until the transaction ends. Never waits for another claim."""
    if turn.running_cap is None:
        return True
    locked = select(col(Owner.running_cap)).where(col(Owner.id) == turn.owner_id)
    locked = locked.with_for_update(key_share=True, skip_locked=True)
    row = session.connection().execute(locked).first()
    if row is None:
        return False
    count = select(_running_of(literal(turn.owner_id)))
    return row[0] is None or (session.connection().scalar(count, {"on_queue": queue}) or 0) < row[0]


def move_to_own_lane(session: Session, owner_id: str, queue: str) -> None:
    """Move what was queued by somebody who did not know of the owner's cap yet."""
    session.connection().execute(update(Owner).where(col(Owner.id) == owner_id).values(has_lane=True))
    stray = claimable() & (col(Task.queue) == queue) & (col(Task.owner_id) == owner_id) & (col(Task.lane) == COMMON)
    session.connection().execute(update(Task).where(stray).values(lane=owner_id))
