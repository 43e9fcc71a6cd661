"""M1 to M5, P6: runs, figures, sessions, logs and reports."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
from api.running import MEDIA, Gateway, claim, complete, plan, submit
from api.signing_in import audit, person
from sqlalchemy import select, update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.errors import SourceUnreadable, StorageUnavailable
from mill_common.models import Attempt, SystemSample
from mill_common.queue import Spent, TaskResult
from mill_common.runs import RunClaim, ScheduledRun, begin_now, register
from mill_common.runs.ledger import Counts, now, renew
from mill_common.runs.ledger import complete as complete_run
from mill_common.runs.ledger import fail as fail_run

MONITORING = "/api/v1/monitoring"
LEASE_S = 60.0


@pytest.fixture
def vera(any_gateway: Gateway) -> Iterator[httpx.Client]:
    """A viewer."""
    with person(any_gateway, "vera") as client:
        yield client


def begin(gateway: Gateway, name: str, **parameters: int) -> RunClaim:
    """Begin a run, as a watchdog does."""
    database = gateway.resources.database
    return database.run(lambda session: begin_now(session, name, worker="w", lease_s=LEASE_S, parameters=parameters))


def test_a_run_at_work_is_shown_with_how_far_it_is(any_gateway: Gateway, vera: httpx.Client) -> None:
    """M1, M5: items, percent, elapsed and remaining time, rate, metadata."""
    run = begin(any_gateway, "old_jobs", keep_days=90)
    with any_gateway.resources.database.write() as session:
        began = update(ScheduledRun).values(started_at=db_now(-100.0))
        session.execute(began)
        renew(session, run, Counts(total=200, succeeded=40, failed=10), lease_s=LEASE_S)
    (shown,) = vera.get(f"{MONITORING}/jobs/active").json()["jobs"]
    assert (shown["id"], shown["job_name"], shown["job_type"]) == (str(run.id), "old_jobs", "sweep")
    assert (shown["status"], shown["total_items"], shown["items_processed"]) == ("running", 200, 50)
    assert (shown["items_succeeded"], shown["items_failed"], shown["progress_percent"]) == (40, 10, 25.0)
    assert shown["elapsed_seconds"] >= 99
    assert shown["items_per_second"] == pytest.approx(50 / shown["elapsed_seconds"], abs=0.01)
    assert shown["estimated_remaining_seconds"] == pytest.approx(3 * shown["elapsed_seconds"], rel=0.01)
    assert shown["metadata"] == {"parameters": {"keep_days": 90}}


def test_past_runs_are_listed_by_name_and_number(any_gateway: Gateway, vera: httpx.Client) -> None:
    """M2: 20 unless said otherwise, 100 at most."""
    database = any_gateway.resources.database
    for number in range(22):
        run = begin(any_gateway, "old_jobs" if number % 2 else "stuck_jobs")
        database.run(partial(complete_run, claim=run, counts=Counts(total=1, succeeded=1), result={"found": 3}))
    failing = begin(any_gateway, "old_jobs")
    database.run(lambda session: fail_run(session, failing, Counts(), "storage does not answer"))
    latest = vera.get(f"{MONITORING}/jobs/history").json()["jobs"]
    assert len(latest) == 20
    assert (latest[0]["id"], latest[0]["status"]) == (str(failing.id), "failed")
    assert latest[0]["error"] == "storage does not answer"
    named = vera.get(f"{MONITORING}/jobs/history", params={"job_name": "old_jobs", "limit": 5}).json()["jobs"]
    assert [run["job_name"] for run in named] == ["old_jobs"] * 5
    assert named[1]["metadata"] == {"found": 3}
    assert len(vera.get(f"{MONITORING}/jobs/history", params={"limit": 100}).json()["jobs"]) == 23
    assert vera.get(f"{MONITORING}/jobs/history", params={"limit": 101}).status_code == 422


def test_the_summary_says_each_schedules_latest_and_next_run(any_gateway: Gateway, vera: httpx.Client) -> None:
    """M3: with progress while it runs, and `next_scheduled`."""
    with any_gateway.resources.database.write() as session:
        following = now(session).replace(year=2200)
        for name in ("old_jobs", "stuck_jobs"):
            register(session, name, cron="0 2 * * *", timezone="UTC", next_at=following)
    run = begin(any_gateway, "old_jobs")
    any_gateway.resources.database.run(
        lambda session: renew(session, run, Counts(total=2847, succeeded=1523), lease_s=LEASE_S)
    )
    summary = vera.get(f"{MONITORING}/jobs/summary").json()["summary"]
    assert summary["old_jobs"]["progress"] == "1523/2847 (53.5%)"
    assert summary["old_jobs"]["status"] == "running"
    assert summary["old_jobs"]["duration_seconds"] >= 0
    assert summary["old_jobs"]["next_scheduled"].startswith("2200-")
    assert summary["stuck_jobs"]["status"] == "never_run"
    assert summary["stuck_jobs"]["last_run"] is None


def test_one_run_is_shown_and_one_that_never_was_is_a_404(any_gateway: Gateway, vera: httpx.Client) -> None:
    """M4."""
    run = begin(any_gateway, "old_jobs")
    assert vera.get(f"{MONITORING}/jobs/{run.id}").json()["status"] == "running"
    answer = vera.get(f"{MONITORING}/jobs/018f0000-0000-7000-8000-000000000000")
    assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")


def test_statistics_break_down_by_hours_stage_and_error(any_gateway: Gateway, vera: httpx.Client) -> None:
    """P6: totals, rates, durations, stages, error codes."""
    queue = any_gateway.resources.queue
    with any_gateway.owner("ada") as ada:
        submit(ada)
        complete(any_gateway.resources)
        submit(ada)
        old = claim(any_gateway.resources)
        queue.fail(old, SourceUnreadable(), Spent())
        submit(ada)
        spent = Spent(cpu_s=2.5, peak_memory=4096, bytes_in=10)
        queue.fail(claim(any_gateway.resources), StorageUnavailable(), spent)
    with any_gateway.resources.database.write() as session:
        ago = {"started_at": db_now(-7200.0), "ended_at": db_now(-7100.0)}
        session.execute(update(Attempt).where(col(Attempt.task_id) == old.task_id).values(**ago))
    day = vera.get(f"{MONITORING}/stats").json()
    assert (day["hours"], day["total_operations"], day["successful_operations"]) == (24, 4, 2)
    assert sum(day["errors"].values()) == day["failed_operations"]
    assert day["errors"]["source_unreadable"] == 1
    assert set(day["stages"]) == {"probe", "publish"}
    assert day["stages"]["probe"]["cpu_seconds"] == 2.5
    assert day["stages"]["probe"]["peak_memory_bytes"] == 4096
    assert day["duration_seconds"]["count"] == 2
    assert (len(day["pace"]), sum(day["pace"])) == (60, 2)
    hour = vera.get(f"{MONITORING}/stats", params={"hours": 1}).json()
    assert hour["total_operations"] == 3
    assert "source_unreadable" not in hour["errors"]
    assert vera.get(f"{MONITORING}/stats", params={"hours": 0}).status_code == 422


def test_the_pace_counts_each_success_when_it_was(any_gateway: Gateway, vera: httpx.Client) -> None:
    """P6: sixty parts of the hours asked for, the latest last, which holds the minute that runs."""
    with any_gateway.owner("ada") as ada:
        submit(ada)
    probe = claim(any_gateway.resources)
    any_gateway.resources.queue.finish(probe, TaskResult(media=MEDIA), [], Spent())
    with any_gateway.resources.database.write() as session:
        session.execute(update(Attempt).values(started_at=db_now(-700.0), ended_at=db_now(-630.0)))
        ended_at = session.scalars(select(col(Attempt.ended_at))).one()
    shown = vera.get(f"{MONITORING}/stats", params={"hours": 1}).json()
    asked_at = datetime.fromisoformat(shown["timestamp"])
    assert ended_at is not None
    ago = int(asked_at.timestamp()) // 60 - int(ended_at.timestamp()) // 60
    assert [minutes for minutes, count in enumerate(reversed(shown["pace"])) if count] == [ago]


def test_active_sessions_show_stage_duration_and_resources(any_gateway: Gateway, vera: httpx.Client) -> None:
    """P1, P2, P6: what runs, the stage it is in, whose it is, and what it has cost."""
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada, filename="holiday.mp4")
    claimed = claim(any_gateway.resources)
    spent = Spent(cpu_s=1.5, peak_memory=2048)
    any_gateway.resources.queue.heartbeat(claimed, 0.25, "reading", spent)
    found = vera.get(f"{MONITORING}/sessions/active").json()
    assert found["count"] == 1
    running = found["sessions"][0]
    assert (running["session_id"], running["owner"], running["filename"]) == (job_id, "ada", "holiday.mp4")
    assert (running["stage"], running["progress"], running["attempt"]) == ("reading", 0.25, 1)
    assert (running["cpu_seconds"], running["peak_memory_bytes"]) == (1.5, 2048)
    assert running["elapsed_seconds"] >= 0
    any_gateway.resources.queue.fail(claimed, SourceUnreadable(), Spent())
    assert vera.get(f"{MONITORING}/sessions/active").json()["sessions"] == []


def test_recent_logs_are_read_by_level_job_and_text(any_gateway: Gateway, vera: httpx.Client) -> None:
    """P6: the last lines, the oldest of them first."""
    with any_gateway.owner("ada") as ada:
        well = submit(ada)
        plan(any_gateway.resources)
        ill = submit(ada)
        claimed = claim(any_gateway.resources)
        while str(claimed.job.id) != ill:
            claimed = claim(any_gateway.resources)
        said = Spent(log_tail="Input #0\nmoov atom not found\n")
        any_gateway.resources.queue.fail(claimed, SourceUnreadable("no picture"), said)

    def found(**query: str | int) -> list[str]:
        entries = vera.get(f"{MONITORING}/logs/recent", params=query).json()["entries"]
        return [f"{entry['job_id']} {entry['level']} {entry['message']}" for entry in entries]

    assert found(level="ERROR") == [f"{ill} error no picture"]
    assert found(text="MOOV") == [f"{ill} debug moov atom not found"]
    assert {line.split()[0] for line in found(job=well)} == {well}
    assert len(found(lines=2)) == 2
    assert found(text="source_unreadable") == [f"{ill} error no picture"]


def test_the_week_is_reported_as_json_and_as_a_page(any_gateway: Gateway, vera: httpx.Client) -> None:
    """P6: jobs by day and owner, stages and errors."""
    with any_gateway.owner("ada") as ada:
        submit(ada)
        complete(any_gateway.resources)
        submit(ada)
        any_gateway.resources.queue.fail(claim(any_gateway.resources), SourceUnreadable(), Spent())
    report = vera.get(f"{MONITORING}/reports/weekly").json()
    assert len(report["days"]) == 7
    today = report["days"][-1]
    assert (today["completed"], today["failed"], today["video_seconds"]) == (1, 1, 12.5)
    assert report["owners"] == [{"owner": "ada", "jobs": 2, "failed": 1}]
    assert report["processing"]["errors"] == {"source_unreadable": 1}
    page = vera.get(f"{MONITORING}/reports/weekly.html")
    assert page.headers["content-type"].startswith("text/html")
    assert "<td>source_unreadable</td><td>1</td>" in page.text
    assert f"<td>{today['day']}</td><td>1</td><td>1</td>" in page.text


def test_monitorings_own_past_is_cleaned_up(any_gateway: Gateway) -> None:
    """P6: old runs and samples go; what is younger stays."""
    database = any_gateway.resources.database
    runs = [begin(any_gateway, "old_jobs") for _ in range(2)]
    for run in runs:
        database.run(partial(complete_run, claim=run, counts=Counts(), result={}))
    with database.write() as session:
        of_first = col(ScheduledRun.id) == runs[0].id
        session.execute(update(ScheduledRun).where(of_first).values(finished_at=db_now(-40 * 86400.0)))
        figures: dict[str, Any] = {"cpu_percent": 1.0, "memory_percent": 1.0, "disk_percent": 1.0}
        who: dict[str, Any] = {"service": "api", "host": "h", "pid": 1, "active_tasks": 0, "scratch_bytes": 0}
        session.add(SystemSample(taken_at=now(session).replace(year=2020), **who, **figures))
    done = any_gateway.admin.post(f"{MONITORING}/cleanup").json()
    assert (done["runs_deleted"], done["samples_deleted"]) == (1, 1)
    left = any_gateway.admin.get(f"{MONITORING}/jobs/history").json()["jobs"]
    assert [UUID(run["id"]) for run in left] == [runs[1].id]
    assert audit(any_gateway, action="cleanup_monitoring")[0]["after"]["runs_deleted"] == 1
