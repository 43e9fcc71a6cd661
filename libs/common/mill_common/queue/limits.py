"""How much of the mill an owner gets."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import Session, col

from mill_common.errors import MillError
from mill_common.models import Owner, Task
from mill_common.queue.predicates import claimable


class OwnerNotFound(MillError):
    """There is no such owner."""

    code = "owner_not_found"
    status = 404


def set_owner_limits(session: Session, owner_id: str, *, weight: float, running_cap: int | None) -> None:
    """Set an owner's weight, and how many of its tasks may run at a time on one queue; None: any number.

    What runs goes on. Tasks that are queued from now on are numbered by the new weight.

    Raises:
        OwnerNotFound: There is no such owner.
        ValueError: The weight is not above 0, or the cap is below 1.
    """
    if weight <= 0 or (running_cap is not None and running_cap < 1):
        raise ValueError("a weight is above 0, and a cap at least 1")
    values = {"weight": weight, "running_cap": running_cap}
    if running_cap is not None:
        # For good: a lane that was never given up leaves no task behind in it.
        values["has_lane"] = True
    known = update(Owner).where(col(Owner.id) == owner_id).values(**values).returning(col(Owner.id))
    if session.execute(known).first() is None:
        raise OwnerNotFound
    if running_cap is not None:
        strays = (col(Task.owner_id) == owner_id) & claimable() & (col(Task.lane) != owner_id)
        session.execute(update(Task).where(strays).values(lane=owner_id))
