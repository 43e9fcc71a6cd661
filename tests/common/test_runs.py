"""Runs are fired once, kept, taken over and shown, on both databases."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from common.workshop import until
from sqlalchemy import select, update

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.errors import LeaseLost, StorageUnavailable
from mill_common.runs import (
    Run,
    RunClaim,
    RunStatus,
    Schedule,
    ScheduledRun,
    active_runs,
    add_to_hour,
    begin_now,
    do,
    due,
    fire,
    one_run,
    register,
    run_history,
    run_summary,
    take_over,
)
from mill_common.runs.ledger import Counts, complete, now, renew

LEASE_S = 60.0


def _later(at: datetime) -> datetime:
    return at + timedelta(hours=1)


def _register(database: Database, name: str = "sweep", *, due_s: float = -10.0, cron: str = "0 * * * *") -> None:
    with database.write() as session:
        at = now(session) + timedelta(seconds=due_s)
        register(session, name, cron=cron, timezone="UTC", next_at=at)


def _schedule(database: Database, name: str = "sweep") -> Schedule:
    with database.read() as session:
        return session.get_one(Schedule, name)


def _fire(database: Database, worker: str = "one", name: str = "sweep") -> RunClaim | None:
    return database.run(lambda session: fire(session, name, worker=worker, lease_s=LEASE_S, next_after=_later))


def _fired(database: Database) -> RunClaim:
    _register(database)
    claim = _fire(database)
    assert claim is not None
    return claim


def _take_over(database: Database, worker: str = "two") -> RunClaim | None:
    return database.run(lambda session: take_over(session, worker=worker, lease_s=LEASE_S))


def _die(database: Database) -> None:
    with database.write() as session:
        session.execute(update(ScheduledRun).values(lease_until=db_now(-1.0)))


def _ended(database: Database, name: str) -> None:
    with database.write() as session:
        claim = begin_now(session, name, worker="one", lease_s=LEASE_S)
        complete(session, claim, Counts(), {})


def _run(database: Database) -> ScheduledRun:
    with database.read() as session:
        return session.scalars(select(ScheduledRun)).one()


def test_a_fire_is_one_row_however_many_want_it(database: Database) -> None:
    _register(database)
    fire_at = _schedule(database).next_at
    with ThreadPoolExecutor(4) as threads:
        claims = list(threads.map(lambda number: _fire(database, f"watchdog-{number}"), range(8)))
    assert [claim.fire_at for claim in claims if claim] == [fire_at]
    assert _run(database).fire_at == fire_at


def test_nothing_fires_before_its_time(database: Database) -> None:
    _register(database, due_s=60.0)
    with database.read() as session:
        assert due(session) == []
    assert _fire(database) is None


def test_after_a_downtime_there_is_one_run_for_all_fires_that_were_missed(database: Database) -> None:
    _register(database, due_s=-86400.0)
    claim = _fire(database)
    assert claim is not None
    database.run(lambda session: complete(session, claim, Counts(), {}))
    assert _fire(database) is None
    with database.read() as session:
        assert _schedule(database).next_at > now(session)


def test_a_fire_waits_for_the_run_before_it(database: Database) -> None:
    claim = _fired(database)
    with database.write() as session:
        session.execute(update(Schedule).values(next_at=db_now(-1.0)))
    assert _fire(database, "two") is None
    database.run(lambda session: complete(session, claim, Counts(), {}))
    assert _fire(database, "two") is not None


def test_registering_again_keeps_a_fire_that_is_due_unless_the_rule_is_another(database: Database) -> None:
    _register(database, due_s=-10.0)
    before = _schedule(database).next_at
    _register(database, due_s=500.0)
    assert _schedule(database).next_at == before
    _register(database, due_s=500.0, cron="30 * * * *")
    assert _schedule(database).next_at > before


def test_a_run_is_taken_over_when_its_watchdog_falls_silent_and_not_before(database: Database) -> None:
    first = _fired(database)
    assert _take_over(database) is None
    _die(database)
    second = _take_over(database)
    assert second is not None
    assert (second.id, second.epoch, second.worker) == (first.id, 2, "two")
    assert _take_over(database, "three") is None


def test_who_lost_a_run_writes_nothing(database: Database) -> None:
    lost = _fired(database)
    _die(database)
    kept = _take_over(database)
    assert kept is not None
    for write in (
        lambda session: renew(session, lost, Counts(succeeded=9), lease_s=LEASE_S),
        lambda session: complete(session, lost, Counts(succeeded=9), {"by": "the dead"}),
    ):
        with pytest.raises(LeaseLost):
            database.run(write)
    assert (_run(database).status, _run(database).items_processed) == (RunStatus.RUNNING, 0)
    database.run(lambda session: complete(session, kept, Counts(succeeded=1), {"by": "the living"}))
    assert _run(database).details == {"by": "the living"}


def test_a_run_that_kills_every_watchdog_fails(database: Database) -> None:
    _fired(database)
    for _ in range(2):
        _die(database)
        assert _take_over(database) is not None
    _die(database)
    assert _take_over(database) is None
    run = _run(database)
    assert (run.status, run.epoch) == (RunStatus.FAILED, 3)
    assert run.error is not None


def test_what_a_sweep_counts_and_returns_is_recorded(database: Database) -> None:
    def work(run: Run) -> dict[str, int]:
        run.expect(4)
        run.count(succeeded=3, failed=1)
        return {"deleted_count": 3}

    claim = _fired(database)
    assert do(database, claim, work, lease_s=LEASE_S, heartbeat_s=10.0) == {"deleted_count": 3}
    run = _run(database)
    assert (run.status, run.details, run.error) == (RunStatus.COMPLETED, {"deleted_count": 3}, None)
    assert (run.total_items, run.items_processed, run.items_succeeded, run.items_failed) == (4, 4, 3, 1)


def test_a_sweep_s_error_fails_its_run_with_what_was_done(database: Database) -> None:
    def work(run: Run) -> dict[str, int]:
        run.count(succeeded=2)
        raise StorageUnavailable

    assert do(database, _fired(database), work, lease_s=LEASE_S, heartbeat_s=10.0) is None
    run = _run(database)
    assert (run.status, run.items_succeeded) == (RunStatus.FAILED, 2)
    assert run.error == "Object storage does not answer as it should."


def test_a_slow_sweep_keeps_its_lease_and_shows_how_far_it_is(database: Database) -> None:
    seen = threading.Event()

    def work(run: Run) -> dict[str, int]:
        run.expect(2)
        run.count(succeeded=1)
        before = _run(database).lease_until
        until(lambda: _run(database).lease_until != before and _run(database).items_processed == 1)
        seen.set()
        return {}

    do(database, _fired(database), work, lease_s=LEASE_S, heartbeat_s=0.05)
    assert seen.is_set()


def test_a_sweep_that_lost_its_run_stops_at_its_next_step(database: Database) -> None:
    went_on = []

    def work(run: Run) -> dict[str, int]:
        _die(database)
        assert _take_over(database) is not None
        until(run.lost.is_set)
        run.count(succeeded=1)
        went_on.append(run)
        return {}

    assert do(database, _fired(database), work, lease_s=LEASE_S, heartbeat_s=0.05) is None
    assert went_on == []
    assert (_run(database).status, _run(database).worker) == (RunStatus.RUNNING, "two")


def test_a_stopping_watchdog_hands_its_run_to_the_next(database: Database) -> None:
    stopping = threading.Event()

    def work(run: Run) -> dict[str, int]:
        stopping.set()
        run.count(succeeded=1)
        return {}

    assert do(database, _fired(database), work, lease_s=LEASE_S, heartbeat_s=10.0, stopping=stopping) is None
    assert _run(database).status is RunStatus.RUNNING
    assert _take_over(database) is not None


def test_the_parameters_of_a_run_go_with_it_to_its_next_watchdog(database: Database) -> None:
    database.run(
        lambda session: begin_now(session, "sweep", worker="one", lease_s=LEASE_S, parameters={"keep_days": 3})
    )
    _die(database)
    taken = _take_over(database)
    assert taken is not None
    assert taken.parameters == {"keep_days": 3}


def test_repairs_of_an_hour_are_one_row(database: Database) -> None:
    for found in ({"leases_expired": 2}, {"leases_expired": 1, "wake_ups_resent": 4}):
        with database.write() as session:
            add_to_hour(session, "queue_repairs", worker="one", found=found)
    run = _run(database)
    assert (run.status, run.items_succeeded, run.total_items) == (RunStatus.COMPLETED, 7, 7)
    assert run.details == {"leases_expired": 3, "wake_ups_resent": 4}
    assert (run.fire_at.minute, run.fire_at.second) == (0, 0)


def test_a_run_at_work_is_shown_with_its_rate_and_what_remains(database: Database) -> None:
    claim = _fired(database)
    database.run(lambda session: renew(session, claim, Counts(total=40, succeeded=9, failed=1), lease_s=LEASE_S))
    with database.write() as session:
        session.execute(update(ScheduledRun).values(started_at=db_now(-100.0)))
    with database.read() as session:
        [run] = active_runs(session)
        assert one_run(session, claim.id) is not None
        assert one_run(session, uuid4()) is None
    assert (run.progress_percent, run.items_processed, run.items_failed) == (25.0, 10, 1)
    assert run.items_per_second is not None
    assert run.estimated_remaining_seconds is not None
    assert run.items_per_second * run.elapsed_seconds == pytest.approx(10)
    assert run.estimated_remaining_seconds * run.items_per_second == pytest.approx(30)


def test_a_run_that_ended_has_nothing_left_and_is_not_at_work(database: Database) -> None:
    claim = _fired(database)
    database.run(lambda session: complete(session, claim, Counts(), {"deleted_count": 0}))
    with database.read() as session:
        assert active_runs(session) == []
        run = one_run(session, claim.id)
    assert run is not None
    assert (run.progress_percent, run.estimated_remaining_seconds, run.metadata) == (100.0, None, {"deleted_count": 0})


def test_history_is_the_latest_first_by_name_and_limited(database: Database) -> None:
    for name in ("a", "b", "a"):
        _ended(database, name)
    with database.read() as session:
        assert [run.schedule for run in run_history(session)] == ["a", "b", "a"]
        assert [run.schedule for run in run_history(session, schedule="b")] == ["b"]
        assert [run.schedule for run in run_history(session, limit=2)] == ["a", "b"]


def test_the_summary_has_each_schedule_s_latest_run_and_its_next_fire(database: Database) -> None:
    claim = _fired(database)
    _register(database, "never_ran", due_s=300.0)
    with database.write() as session:
        add_to_hour(session, "queue_repairs", worker="one", found={"leases_expired": 1})
    with database.read() as session:
        summary = run_summary(session)
    assert sorted(summary) == ["never_ran", "queue_repairs", "sweep"]
    assert summary["never_ran"].latest is None
    assert summary["never_ran"].next_scheduled == _schedule(database, "never_ran").next_at
    assert summary["queue_repairs"].next_scheduled is None
    latest = summary["sweep"].latest
    assert latest is not None
    assert (latest.id, latest.status) == (claim.id, RunStatus.RUNNING)
