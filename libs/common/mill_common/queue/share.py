"""Fair share between owners, by virtual finish time.

A task that is queued gets the number `share`; among tasks of one priority the lowest is claimed first. An owner's tasks
are numbered one after another, from the number that is being served now, in steps of one over the owner's weight. So
whoever queues one task is served next, however many another owner has waiting, and nobody is paid back for having been
idle. The number decides whose turn it is; which of that owner's tasks goes is decided by the age of its job
(`claim.py`), and the two then swap numbers.

Source: Demers, Keshav and Shenker, "Analysis and Simulation of a Fair Queueing Algorithm", 1989.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import Owner, Task
from mill_common.queue.predicates import claimable

_LEAST_WEIGHT = 0.001  # with none at all an owner would wait for ever


def next_share(session: Session, *, queue: str, owner_id: str, rank: int) -> tuple[float, float]:
    """The number for the owner's next task of this priority on `queue`, and the step to the one after it."""
    waiting = (claimable(), col(Task.queue) == queue, col(Task.rank) == rank)
    # A retry that is not due yet keeps an old number, which nobody is being served at.
    served = select(func.min(Task.share)).where(*waiting, col(Task.run_after) <= db_now()).scalar_subquery()
    own = select(func.max(Task.share)).where(*waiting, col(Task.owner_id) == owner_id).scalar_subquery()
    # A newcomer gets the number being served; of equal numbers the older task goes first.
    weight = select(col(Owner.weight)).where(col(Owner.id) == owner_id).scalar_subquery()
    last, first, counted = session.execute(select(own, func.coalesce(served, 0.0), weight)).one()
    step = 1.0 / max(counted or 1.0, _LEAST_WEIGHT)
    return (first if last is None else last + step), step
