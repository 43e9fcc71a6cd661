"""Fair share between owners, by virtual finish time.

A task that is queued gets the number `share`; among tasks of one priority the lowest is claimed first. An owner's tasks
are numbered one after another, from the number that is being served now, in steps of one over the owner's weight. So
whoever queues one task is served next, however many another owner has waiting, and nobody is paid back for having been
idle. The number decides whose turn it is; which of that owner's tasks goes is decided by the age of its job
(`claim.py`), and the two then swap numbers.

Source: Demers, Keshav and Shenker, "Analysis and Simulation of a Fair Queueing Algorithm", 1989.
"""

from __future__ import annotations

from sqlalchemy import bindparam, func, select
from sqlmodel import Session, col

from mill_common.models import Owner, Task
from mill_common.queue.predicates import claimable, running
from mill_common.queue.turn import COMMON, due

_LEAST_WEIGHT = 0.001  # with none at all an owner would wait for ever


def next_share(session: Session, *, queue: str, owner_id: str, rank: int) -> tuple[float, float, str]:
    """The number for the owner's next task of this priority on `queue`, the step to the one after it, and the lane."""
    key = {"on_queue": queue, "of_owner": owner_id, "of_rank": rank}
    last, served, weight, has_lane = session.connection().execute(_NEXT, key).one()
    step = 1.0 / max(weight, _LEAST_WEIGHT)
    return (served or 0.0) if last is None else last + step, step, owner_id if has_lane else COMMON


_on_queue = (col(Task.queue) == bindparam("on_queue"), col(Task.rank) == bindparam("of_rank"))
# A retry that is not due yet keeps an old number, which nobody is being served at; so does who waits below a cap.
_served = select(func.min(Task.share)).where(*_on_queue, due(), col(Task.lane) == COMMON).scalar_subquery()
_runs = select(func.max(Task.share)).where(*_on_queue, running()).scalar_subquery()
_own = select(func.max(Task.share)).where(*_on_queue, claimable(), col(Task.owner_id) == bindparam("of_owner"))
# A newcomer gets the number being served; of equal numbers the older task goes first.
_NEXT = select(_own.scalar_subquery(), func.coalesce(_served, _runs), col(Owner.weight), col(Owner.has_lane)).where(
    col(Owner.id) == bindparam("of_owner")
)
