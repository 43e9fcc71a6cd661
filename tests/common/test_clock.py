"""The database's clock, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from sqlalchemy import select

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.models import Owner


def test_the_database_s_clock_is_in_utc_and_adds_seconds(database: Database) -> None:
    with database.read() as session:
        now, later, ago = session.execute(select(db_now(), db_now(90.5), db_now(-3600.0))).one()
    assert now.tzinfo is UTC
    assert timedelta(seconds=90) < later - now < timedelta(seconds=91)
    assert timedelta(seconds=3599) < now - ago < timedelta(seconds=3601)


def test_the_database_s_times_compare_with_stored_ones(database: Database) -> None:
    with database.write() as session:
        session.add(Owner(id="ada"))
    with database.read() as session:
        before = select(Owner).where(Owner.created_at <= db_now())
        after = select(Owner).where(Owner.created_at > db_now(60.0))
        assert (len(session.scalars(before).all()), len(session.scalars(after).all())) == (1, 0)


def test_a_stored_time_comes_back_as_the_same_moment(database: Database) -> None:
    noon = datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    with database.write() as session:
        session.add(Owner(id="ada", created_at=noon))
    with database.read() as session:
        assert session.get_one(Owner, "ada").created_at == noon
