"""What statistics go by is kept up by a schedule."""

from __future__ import annotations

from datetime import timedelta
from random import Random

from common.past import Past
from sqlalchemy import func, select
from sqlmodel import col
from watchdog.sweeps import latest, sweep

from mill_common.figures import task_counts
from mill_common.models import AttemptFigures, Stock
from mill_common.resources import Resources
from mill_common.runs.ledger import now


def test_what_has_ended_is_added_up_once_and_counted(resources: Resources) -> None:
    with resources.database.read() as session:
        then = Past(resources.database, Random(5), now(session) - timedelta(hours=3))
    for _ in range(8):
        then.go_on(60.0)
    assert sweep(resources, "figures") == {"attempts_added": len(then.seen), "rows_forgotten": 0}
    assert latest(resources, "figures").items_processed == len(then.seen) > 0
    assert sweep(resources, "figures")["attempts_added"] == 0
    with resources.database.snapshot() as session:
        added = session.scalar(select(func.sum(AttemptFigures.attempts)).where(col(AttemptFigures.minutes) == 1))
        assert added == len(then.seen)
        counted = session.scalar(select(func.sum(Stock.tasks)))
        assert counted == sum(count for (status, _), count in task_counts(session).items() if status == "completed") > 0
