"""What the rows tell of workers, queues and schedules. Requirements A14, P4."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from common.desk import Desk
from common.workshop import Workshop, plan, until
from sqlalchemy import update
from sqlmodel import col

from mill_common import depths
from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.depths import queue_depths
from mill_common.errors import SourceUnreadable
from mill_common.health.queues import pipeline_finding, queues_finding
from mill_common.health.report import Finding, Status
from mill_common.health.schedules import schedules_finding
from mill_common.health.services import checkup
from mill_common.health.workers import Teller, told_finding, workers_finding
from mill_common.models import Task
from mill_common.runs import Schedule, begin_now, register
from mill_common.runs.ledger import now
from mill_common.settings import Settings
from mill_common.workers import Worker, WorkerState


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def _worker(database: Database, name: str, *, silent_s: float = 0.0, **fields: Any) -> None:
    row: dict[str, Any] = {
        "service": "transcoder",
        "queue": "transcode",
        "host": "h",
        "pid": 1,
        "version": "1",
        "slots": 1,
    } | fields
    with database.write() as session:
        session.add(Worker(name=name, **row))
        session.flush()
        heard = update(Worker).where(col(Worker.name) == name)
        session.execute(heard.values(heartbeat_at=db_now(-silent_s), started_at=db_now(-silent_s)))


def _set(database: Database, name: str, **fields: Any) -> None:
    with database.write() as session:
        session.execute(update(Worker).where(col(Worker.name) == name).values(**fields))


def test_a_kind_of_work_that_nobody_does_is_critical(database: Database) -> None:
    assert workers_finding(database, "transcoder").status is Status.CRITICAL
    _worker(database, "a", service="transcriber")
    assert workers_finding(database, "transcoder").status is Status.CRITICAL
    _worker(database, "b")
    assert workers_finding(database, "transcoder").status is Status.HEALTHY


def test_a_worker_that_fell_silent_leaves_its_kind_degraded(database: Database) -> None:
    _worker(database, "a")
    _worker(database, "b", silent_s=120.0)
    found = workers_finding(database, "transcoder")
    assert (found.status, found.details["lost"]) == (Status.DEGRADED, 1)
    _set(database, "b", state=WorkerState.STOPPED, stopped_at=db_now())
    assert workers_finding(database, "transcoder").status is Status.HEALTHY


def test_workers_that_all_pause_are_critical_and_say_why(database: Database) -> None:
    _worker(database, "a", state=WorkerState.PAUSED, reason="scratch space is short")
    found = workers_finding(database, "transcoder")
    assert (found.status, found.details["reasons"]) == (Status.CRITICAL, ["scratch space is short"])


def test_what_a_worker_finds_of_its_machine_is_told_to_all(database: Database, tmp_path: Path) -> None:
    assert told_finding(database, "ffmpeg").status is Status.WARNING
    found = {"ffmpeg": Finding(status=Status.HEALTHY, message="works")}
    url = database.engine.url.render_as_string(hide_password=False)
    with closing(Workshop(tmp_path, url, heartbeat_s=0.1)) as shop, shop.working({"probe": plan()}):
        report = checkup(shop.resources, tools={"ffmpeg": lambda _: found["ffmpeg"]})
        teller = Teller(database)

        def is_told() -> bool:
            teller.tell(report.report(fresh=True))
            return told_finding(database, "ffmpeg").details != {}

        until(is_told)
        assert told_finding(database, "ffmpeg").status is Status.HEALTHY
        assert told_finding(database, "scratch").status is not Status.CRITICAL
        found["ffmpeg"] = Finding(status=Status.CRITICAL, message="ffmpeg does not run")
        teller.tell(report.report(fresh=True))
        red = told_finding(database, "ffmpeg")
        assert (red.status, red.message) == (Status.CRITICAL, "ffmpeg does not run")
        found["ffmpeg"] = Finding(status=Status.HEALTHY, message="works")
        teller.tell(report.report(fresh=True))
        assert told_finding(database, "ffmpeg").status is Status.HEALTHY
    assert told_finding(database, "ffmpeg").status is Status.WARNING  # nobody is left to tell


def test_one_of_two_workers_with_a_broken_tool_is_degraded(database: Database) -> None:
    _worker(database, "a", health={"ffmpeg": {"status": "healthy", "message": ""}})
    _worker(database, "b", health={"ffmpeg": {"status": "critical", "message": "gone"}})
    found = told_finding(database, "ffmpeg")
    assert (found.status, found.details["ill"]) == (Status.DEGRADED, {"b": "gone"})


def _queued(desk: Desk, job: Any, *, seconds_ago: float) -> None:
    with desk.database.write() as session:
        session.execute(update(Task).where(col(Task.job_id) == job).values(queued_at=db_now(-seconds_ago)))


def test_work_that_waits_too_long_is_told_of(desk: Desk, settings: Settings) -> None:
    assert queues_finding(desk.database, settings).status is Status.HEALTHY
    old = desk.job("ada")
    desk.job("bob", priority=9)
    _queued(desk, old, seconds_ago=1000.0)
    found = queues_finding(desk.database, settings)
    assert found.status is Status.WARNING
    assert 1000 <= found.details["transcode"]["oldest_seconds"] < 1300
    _queued(desk, old, seconds_ago=4000.0)
    assert queues_finding(desk.database, settings).status is Status.DEGRADED
    desk.cancel(old)
    assert queues_finding(desk.database, settings).status is Status.HEALTHY


def test_a_task_whose_delay_is_not_over_does_not_wait(desk: Desk) -> None:
    job = desk.job()
    _queued(desk, job, seconds_ago=1000.0)
    with desk.database.write() as session:
        session.execute(update(Task).where(col(Task.job_id) == job).values(run_after=db_now(600.0)))
    with desk.database.read() as session:
        transcode = queue_depths(session)[0]
    assert (transcode.waiting, transcode.oldest_s) == (1, 0.0)


def test_depths_count_what_waits_runs_and_failed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for owner in ("ada", "bob", "cyd"):
        for priority in (5, 5, 9):
            desk.job(owner, priority=priority)
    desk.claim()
    desk.fail(desk.claim(), SourceUnreadable())
    with desk.database.read() as session:
        [transcode, transcribe] = queue_depths(session)
        assert (transcode.waiting, transcode.running, transcode.failed) == (7, 1, 1)
        assert (transcribe.waiting, transcribe.oldest_s) == (0, 0.0)
        monkeypatch.setattr(depths, "COUNTED", 3)
        assert queue_depths(session)[0].waiting == 3


def test_attempts_that_mostly_fail_leave_the_pipeline_degraded(desk: Desk, settings: Settings) -> None:
    for _ in range(10):
        desk.job()
        desk.finish(desk.claim())
    healthy = pipeline_finding(desk.database, settings)
    assert (healthy.status, healthy.details["attempts_last_hour"]) == (Status.HEALTHY, 10)
    for _ in range(3):
        desk.job()
        desk.fail(desk.claim(), SourceUnreadable())
    found = pipeline_finding(desk.database, settings)
    assert (found.status, found.details["failed_last_hour"]) == (Status.DEGRADED, 3)
    assert found.message == "23 % of the last hour's attempts failed"


def test_a_task_that_does_not_get_on_is_a_warning(desk: Desk, settings: Settings) -> None:
    desk.job()
    claim = desk.claim()
    assert pipeline_finding(desk.database, settings).status is Status.HEALTHY
    desk._write_task(claim.task_id, progress_at=db_now(-2000.0))
    found = pipeline_finding(desk.database, settings)
    assert (found.status, found.details["stuck_tasks"]) == (Status.WARNING, 1)


def _schedule(database: Database, *, late_s: float) -> None:
    with database.write() as session:
        register(session, "old_jobs", cron="0 2 * * *", timezone="UTC", next_at=now(session))
        session.execute(update(Schedule).values(next_at=db_now(-late_s)))


@pytest.mark.parametrize(("late_s", "status"), [(0, "healthy"), (600, "degraded"), (7200, "critical")])
def test_a_schedule_that_nobody_keeps_is_told_of(database: Database, late_s: float, status: str) -> None:
    assert schedules_finding(database).status is Status.WARNING  # no watchdog was ever here
    _schedule(database, late_s=late_s)
    assert schedules_finding(database).status == status


def test_a_schedule_that_waits_for_a_running_one_is_not_late(database: Database) -> None:
    _schedule(database, late_s=7200.0)
    database.run(lambda session: begin_now(session, name="stuck_jobs", worker="w", lease_s=60.0, parameters=None))
    assert schedules_finding(database).status is Status.HEALTHY
