"""What is mended all the time, in one row an hour.

The queue is looked at every few seconds. A row for each look would bury the rows that say something, and so would one
for each find while a broker is down. So what was found within an hour is added up, and an hour in which nothing was
found has no row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.runs.ledger import now
from mill_common.runs.models import RunStatus, ScheduledRun


def add_to_hour(session: Session, name: str, *, worker: str, found: Mapping[str, int]) -> None:
    """Add what was found to the hour's row. Two watchdogs may collide on its first find: then try once more.

    Raises:
        IntegrityError: Another watchdog has made the row this moment.
    """
    hour = now(session).replace(minute=0, second=0, microsecond=0)
    of_hour = (col(ScheduledRun.schedule) == name) & (col(ScheduledRun.fire_at) == hour)
    run = session.scalars(select(ScheduledRun).where(of_hour).with_for_update()).one_or_none()
    if run is None:
        run = ScheduledRun(schedule=name, fire_at=hour, worker=worker, status=RunStatus.COMPLETED)
        session.add(run)
        session.flush()
    total = run.items_processed + sum(found.values())
    counts = {"total_items": total, "items_processed": total, "items_succeeded": total}
    session.execute(
        update(ScheduledRun)
        .where(of_hour)
        .values(
            **counts,
            worker=worker,
            details=dict(Counter(run.details) + Counter(found)),
            heartbeat_at=db_now(),
            finished_at=db_now(),
        )
    )
