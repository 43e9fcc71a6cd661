"""Fair share between owners, by virtual finish time.

A task that is queued gets the number `share`; among tasks of one priority the lowest is claimed first. An owner's tasks
are numbered one after another, from the number that is being served now. So whoever queues one task is served next,
however many an other owner has waiting, and nobody is paid back for having been idle.

Source: Demers, Keshav and Shenker, "Analysis and Simulation of a Fair Queueing Algorithm", 1989.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlmodel import Session, col

from mill_common.models import Task
from mill_common.states import CLAIMABLE


def next_share(session: Session, *, queue: str, owner_id: str, rank: int) -> float:
    """The number for the owner's next task of this priority on `queue`."""
    waiting = (
        col(Task.status).in_(CLAIMABLE),
        col(Task.queue) == queue,
        col(Task.rank) == rank,
    )
    served = select(func.min(Task.share)).where(*waiting).scalar_subquery()
    own = select(func.max(Task.share)).where(*waiting, col(Task.owner_id) == owner_id).scalar_subquery()
    return float(session.scalar(select(func.coalesce(own, served, 0.0))) or 0.0) + 1.0
