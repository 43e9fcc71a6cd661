"""Schedules follow the wall clock of a named zone, also when it is put forward or back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from mill_watchdog.cron import Cron, UnknownTimeZone
from mill_watchdog.schedules import SWEEPS


def _fires(cron: Cron, after: datetime, count: int) -> list[str]:
    fires = []
    for _ in range(count):
        after = cron.next_after(after)
        fires.append(f"{after:%m-%d %H:%M}")
    return fires


def _utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc] # year, month, day, hour …


def test_a_daily_time_is_the_zone_s() -> None:
    assert _fires(Cron("0 2 * * *", "Europe/Berlin"), _utc(2026, 1, 10), 2) == ["01-10 01:00", "01-11 01:00"]
    assert _fires(Cron("0 2 * * *", "Asia/Kolkata"), _utc(2026, 1, 10), 2) == ["01-10 20:30", "01-11 20:30"]


def test_a_time_that_the_clocks_skip_fires_when_the_gap_ends() -> None:
    fires = _fires(Cron("30 2 * * *", "Europe/Berlin"), _utc(2026, 3, 28, 12), 2)
    assert fires == ["03-29 01:00", "03-30 00:30"]


def test_a_gap_of_half_an_hour_is_a_gap_too() -> None:
    fires = _fires(Cron("15 2 * * *", "Australia/Lord_Howe"), _utc(2026, 10, 3, 12), 2)
    assert fires == ["10-03 15:30", "10-04 15:15"]


def test_a_time_that_comes_twice_fires_once() -> None:
    fires = _fires(Cron("0 2 * * *", "Europe/Berlin"), _utc(2026, 10, 24, 12), 2)
    assert fires == ["10-25 00:00", "10-26 01:00"]


def test_who_looks_between_the_two_does_not_fire_the_second() -> None:
    assert _fires(Cron("0 2 * * *", "Europe/Berlin"), _utc(2026, 10, 25, 0, 30), 1) == ["10-26 01:00"]


@pytest.mark.parametrize("start", [_utc(2026, 3, 28, 20), _utc(2026, 10, 24, 20)])
def test_an_interval_goes_on_through_both(start: datetime) -> None:
    cron, fires = Cron("*/15 * * * *", "Europe/Berlin"), [start]
    for _ in range(40):
        fires.append(cron.next_after(fires[-1]))
    assert {later - earlier for earlier, later in pairwise(fires)} == {timedelta(minutes=15)}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"])
def test_a_daily_sweep_fires_once_every_day_of_a_year(zone: str) -> None:
    cron, at, days = Cron("30 2 * * *", zone), _utc(2026, 1, 1), []
    for _ in range(365):
        at = cron.next_after(at)
        days.append(at.astimezone(ZoneInfo(zone)).date())
    assert {later - earlier for earlier, later in pairwise(days)} == {timedelta(days=1)}


def test_what_is_no_zone_is_refused() -> None:
    with pytest.raises(UnknownTimeZone):
        Cron("0 2 * * *", "Europe/Atlantis").next_after(_utc(2026, 1, 1))


def test_stuck_jobs_are_looked_for_every_quarter_and_old_ones_at_two() -> None:
    start = _utc(2026, 1, 10)
    assert _fires(Cron(SWEEPS["stuck_jobs"].cron, "UTC"), start, 2) == ["01-10 00:15", "01-10 00:30"]
    assert _fires(Cron(SWEEPS["old_jobs"].cron, "UTC"), start, 2) == ["01-10 02:00", "01-11 02:00"]
