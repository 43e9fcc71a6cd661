"""J12: what was asked is counted for as long as the settings say."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import select
from sqlmodel import col
from watchdog.sweeps import sweep

from mill_common.ids import uuid7
from mill_common.models import Owner, Traffic, Usage
from mill_common.resources import Resources
from mill_common.runs.ledger import now


def _asked(owner: str, day: date) -> Usage:
    return Usage(
        owner_id=owner,
        day=day,
        key_id=uuid7(),
        route="GET /jobs",
        bucket=1,
        requests=1,
        errors=0,
        bytes_in=0,
        bytes_out=0,
    )


def test_old_usage_of_every_owner_goes_and_the_rest_stays(resources: Resources) -> None:
    days = resources.settings.usage_keep_days
    with resources.database.write() as session:
        today = now(session).date()
        session.add(Owner(id="bob"))
        session.flush()
        for owner in ("ada", "bob"):
            for ago in (days + 1, days):
                session.add(_asked(owner, today - timedelta(days=ago)))
    assert sweep(resources, "old_usage") == {"deleted_count": 2}
    with resources.database.read() as session:
        left = session.execute(select(col(Usage.owner_id), col(Usage.day)).order_by(col(Usage.owner_id))).all()
    assert [tuple(row) for row in left] == [(owner, today - timedelta(days=days)) for owner in ("ada", "bob")]


def test_traffic_goes_after_two_days(resources: Resources) -> None:
    with resources.database.write() as session:
        minute = int(now(session).timestamp() // 60)
        for ago in (2881 + 5, 2880 - 5):
            session.add(Traffic(minute=minute - ago, route="GET /jobs", requests=1, errors=0))
    assert sweep(resources, "old_usage") == {"deleted_count": 1}
    with resources.database.read() as session:
        assert session.scalars(select(col(Traffic.minute))).all() == [minute - 2875]
