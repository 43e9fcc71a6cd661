"""Several watchdogs as processes on one database: one row a fire, and nothing is lost with one of them."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager
from functools import partial
from uuid import UUID

import pytest
from holding import closing_off, somebody_waits
from sqlalchemy import select, update
from sqlmodel import col
from waiting import WAIT_S, wait_for
from watchdog.processes import Kennel

from mill_common.clock import db_now
from mill_common.models import Alert, AlertStatus, Job, Traffic
from mill_common.runs import RunStatus, ScheduledRun
from mill_common.runs.ledger import now
from mill_watchdog.schedules import REPAIRS, SWEEPS

COMPLETED = RunStatus.COMPLETED
QUICK = {"MILL_LEASE_S": "1.5", "MILL_HEARTBEAT_S": "0.2"}


def _old_job(kennel: Kennel) -> UUID:
    job = kennel.desk.job()
    kennel.desk.finish(kennel.desk.claim())
    with kennel.database.write() as session:
        session.execute(update(Job).where(col(Job.id) == job).values(completed_at=db_now(-31 * 86400.0)))
    return job


def _held(kennel: Kennel) -> AbstractContextManager[None]:
    """Whoever wants to delete a job waits."""
    return closing_off(kennel.database, "job")


def _is_held(kennel: Kennel) -> bool:
    # Other sweeps wait as well.
    return _all(kennel, "old_jobs", RunStatus.RUNNING, 1) and somebody_waits(kennel.database)


def _all(kennel: Kennel, name: str, status: RunStatus, count: int) -> bool:
    return [run.status for run in kennel.runs(name)] == [status] * count


def test_two_watchdogs_and_one_fire(kennel: Kennel) -> None:
    for _ in range(2):
        kennel.watchdog()
    wait_for(lambda: sorted(kennel.schedules()) == sorted(SWEEPS))
    for fires in range(1, 9):
        kennel.let_come("stuck_jobs")
        wait_for(partial(_all, kennel, "stuck_jobs", COMPLETED, fires))
    runs = kennel.runs("stuck_jobs")
    assert {run.epoch for run in runs} == {1}
    assert len({run.fire_at for run in runs}) == 8


def test_a_run_of_a_killed_watchdog_is_taken_over(kennel: Kennel) -> None:
    _old_job(kennel)
    first = kennel.watchdog(**QUICK)
    wait_for(lambda: "old_jobs" in kennel.schedules())
    with _held(kennel):
        kennel.let_come("old_jobs")
        wait_for(lambda: _is_held(kennel))
        first.send_signal(signal.SIGKILL)
        first.wait()
        kennel.watchdog(**QUICK)
        wait_for(lambda: kennel.runs("old_jobs")[0].epoch > 1)
    wait_for(lambda: _all(kennel, "old_jobs", COMPLETED, 1))
    [run] = kennel.runs("old_jobs")
    assert (run.details["deleted_count"], run.worker.split(":")[-1] == str(first.pid)) == (1, False)
    assert kennel.desk.count(Job) == 0


def test_sigterm_in_a_run_hands_it_to_the_next_watchdog(kennel: Kennel) -> None:
    _old_job(kennel)
    first = kennel.watchdog()
    wait_for(lambda: "old_jobs" in kennel.schedules())
    with _held(kennel):
        kennel.let_come("old_jobs")
        wait_for(lambda: _is_held(kennel))
        first.send_signal(signal.SIGTERM)
        # With the default lease of two minutes: only a run that was handed back is taken so soon.
        kennel.watchdog()
    assert first.wait(WAIT_S) == 0
    wait_for(lambda: _all(kennel, "old_jobs", COMPLETED, 1))


def test_what_was_missed_while_no_watchdog_ran_is_done_once(kennel: Kennel) -> None:
    kennel.command("--once")
    assert sorted(kennel.schedules()) == sorted(SWEEPS)
    assert kennel.runs("stuck_jobs") == []
    kennel.let_come("stuck_jobs", seconds_ago=7 * 86400.0)
    assert kennel.command("--once").returncode == 0
    assert kennel.command("--once").returncode == 0
    assert _all(kennel, "stuck_jobs", COMPLETED, 1)


def test_once_repairs_the_queue_and_notes_what_it_found(kennel: Kennel) -> None:
    kennel.desk.job()
    claim = kennel.desk.claim()
    kennel.desk.expire(claim)
    assert kennel.command("--once").returncode == 0
    assert kennel.desk.task(claim.task_id).stage == "released_stale"
    [run] = kennel.runs(REPAIRS)
    assert run.details["leases_expired"] == 1
    assert kennel.command("--once").returncode == 0
    assert kennel.runs(REPAIRS)[0].details["leases_expired"] == 1


def test_once_evaluates_the_rules_of_alerts(kennel: Kennel) -> None:
    """P3: where cron starts the watchdog, it watches, too; and what was asked before it started counts."""
    with kennel.database.write() as session:
        session.add(Traffic(minute=int(now(session).timestamp() // 60), route="GET /jobs", requests=100, errors=100))
    assert kennel.command("--once").returncode == 0
    with kennel.database.read() as session:
        firing = session.scalars(select(col(Alert.type)).where(col(Alert.status) == AlertStatus.FIRING)).all()
    assert "api_error_rate" in firing


def test_one_schedule_can_be_run_now_and_says_what_it_did(kennel: Kennel) -> None:
    _old_job(kennel)
    said = kennel.result("--run", "old_jobs")
    assert (said["status"], said["deleted_count"]) == ("completed", 1)
    assert kennel.desk.count(Job) == 0
    assert kennel.desk.count(ScheduledRun) == 1


def test_a_run_that_fails_says_so_with_its_exit_status(kennel: Kennel) -> None:
    kennel.environment["MILL_STORAGE_URL"] = "s3://key:secret@127.0.0.1:9/nowhere?secure=false"
    done = kennel.command("--run", "orphaned_objects")
    assert done.returncode == 1
    assert '"status": "failed"' in done.stdout
    assert kennel.runs("orphaned_objects")[0].error


@pytest.mark.parametrize("arguments", [["--run", "nothing"], ["--once", "--run", "old_jobs"]])
def test_a_command_that_makes_no_sense_is_refused(kennel: Kennel, arguments: list[str]) -> None:
    assert kennel.command(*arguments).returncode == 2
