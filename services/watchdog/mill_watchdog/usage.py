"""What was asked of the interface, so long ago that nobody counts it any more."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial

from sqlalchemy import CursorResult, Delete, delete, select
from sqlmodel import Session, col

from mill_common.models import Owner, Traffic, Usage
from mill_common.resources import Resources
from mill_common.runs import Result, Run
from mill_common.runs.ledger import now

TRAFFIC_KEPT_S = 2 * 86400.0  # or twice the window that rules look at, if that is longer


def drop_old_usage(resources: Resources, run: Run) -> Result:
    """Remove usage of more than `usage_keep_days` days ago, owner by owner, and traffic of a few days ago."""
    settings, database = resources.settings, resources.database
    with database.read() as session:
        at = now(session)
        owners = session.scalars(select(col(Owner.id)).order_by(col(Owner.id))).all()
    before = at.date() - timedelta(days=settings.usage_keep_days)
    kept_s = max(TRAFFIC_KEPT_S, 2 * settings.alert_window_s)
    # The index begins with the owner, and no transaction takes long.
    deletions = [*(_usage(owner, before) for owner in owners), _traffic(at, kept_s)]
    removed = sum(database.run(partial(_delete, rows=rows)) for rows in deletions)
    run.expect(removed)
    run.count(succeeded=removed)
    return {"deleted_count": removed}


def _usage(owner: str, before: date) -> Delete:
    return delete(Usage).where(col(Usage.owner_id) == owner, col(Usage.day) < before)


def _traffic(at: datetime, kept_s: float) -> Delete:
    return delete(Traffic).where(col(Traffic.minute) < (at.timestamp() - kept_s) // 60)


def _delete(session: Session, rows: Delete) -> int:
    result = session.execute(rows)
    assert isinstance(result, CursorResult)
    return result.rowcount
