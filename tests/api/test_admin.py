"""A1 to A6, A9, A12: what operators and administrators see and do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import httpx
import pytest
from api.running import Gateway, claim, complete, plan, serving, submit
from api.signing_in import audit, person
from sqlalchemy import update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.errors import SourceUnreadable
from mill_common.models import Job, Task
from mill_common.queue import Spent
from mill_common.resources import open_resources
from mill_common.runs import register
from mill_common.runs.ledger import now
from mill_common.settings import Settings
from mill_common.worker.presence import Presence
from mill_common.workers import WorkerState

ADMIN = "/api/v1/admin"
MADE = {"360p.mp4": b"made"}


@pytest.fixture
def otto(any_gateway: Gateway) -> Iterator[httpx.Client]:
    """An operator."""
    with person(any_gateway, "otto", "operator") as client:
        yield client


def fail(gateway: Gateway) -> UUID:
    """Take the next task, which fails for good; its job."""
    claimed = claim(gateway.resources)
    gateway.resources.queue.fail(claimed, SourceUnreadable("no picture"), Spent(log_tail="moov atom not found"))
    return claimed.job.id


def age(gateway: Gateway, job_id: UUID, *, seconds: float) -> None:
    """Have everything about a job have happened so long ago."""
    ago = db_now(-seconds)
    with gateway.resources.database.write() as session:
        of_job = col(Job.id) == job_id
        session.execute(update(Job).where(of_job).values(created_at=ago, updated_at=ago))
        session.execute(update(Job).where(of_job, col(Job.completed_at).is_not(None)).values(completed_at=ago))
        times = dict.fromkeys(("created_at", "queued_at", "started_at", "progress_at"), ago)
        session.execute(update(Task).where(col(Task.job_id) == job_id).values(**times))


def test_stuck_jobs_are_cleaned_up_on_request(any_gateway: Gateway, otto: httpx.Client) -> None:
    """A1: threshold 30 to 1440 minutes, 120 unless said otherwise; what was stuck is said."""
    with any_gateway.owner("ada") as ada:
        stuck, fresh = (UUID(submit(ada)) for _ in range(2))
        for _ in range(2):
            claim(any_gateway.resources)
        age(any_gateway, stuck, seconds=3 * 3600)
        path = f"{ADMIN}/cleanup-stuck-jobs"
        for minutes in (29, 1441):
            assert otto.post(path, params={"stuck_threshold_minutes": minutes}).status_code == 422
        assert otto.post(path, params={"stuck_threshold_minutes": 240}).json()["stuck_count"] == 0
        done = otto.post(path).json()
        assert (done["status"], done["stuck_count"], done["stuck_job_ids"]) == ("completed", 1, [str(stuck)])
        assert done["cutoff_time"] < done["cleaned_at"]
        assert ada.get(f"/api/v1/jobs/{stuck}").json()["status"] == "failed"
        assert ada.get(f"/api/v1/jobs/{fresh}").json()["status"] == "processing"
    entry = audit(any_gateway, action="cleanup_stuck_jobs", outcome="done")[0]
    assert (entry["actor"], entry["after"]["stuck_job_ids"]) == ("user:otto", [str(stuck)])
    assert entry["after"]["stuck_after_minutes"] == 120


def test_old_jobs_are_cleaned_up_on_request(any_gateway: Gateway) -> None:
    """A2: 1 to 365 days, 30 unless said otherwise; the files go, too."""
    path = f"{ADMIN}/cleanup-old-jobs"
    with any_gateway.owner("ada") as ada:
        old, new = submit(ada), submit(ada)
        for _ in range(2):
            complete(any_gateway.resources, MADE)
        age(any_gateway, UUID(old), seconds=40 * 86400)
        for days in (0, 366):
            assert any_gateway.admin.post(path, params={"days_to_keep": days}).status_code == 422
        done = any_gateway.admin.post(path).json()
        assert (done["status"], done["deleted_count"], done["objects_deleted"]) == ("completed", 1, 1)
        assert ada.get(f"/api/v1/jobs/{old}").status_code == 404
        assert ada.get(f"/api/v1/jobs/{new}").status_code == 200
    assert audit(any_gateway, action="cleanup_old_jobs")[0]["after"]["keep_days"] == 30


def test_the_same_sweeps_are_on_a_schedule(any_gateway: Gateway, otto: httpx.Client) -> None:
    """A6: stuck jobs every 15 minutes, old ones daily at two; what is asked for by hand is the same schedule's run."""
    from mill_watchdog.schedules import SWEEPS

    assert SWEEPS["stuck_jobs"].cron == "*/15 * * * *"
    assert SWEEPS["old_jobs"].cron == "0 2 * * *"
    run_id = otto.post(f"{ADMIN}/cleanup-stuck-jobs").json()["run_id"]
    run = otto.get(f"/api/v1/monitoring/jobs/{run_id}").json()
    assert (run["job_name"], run["status"]) == ("stuck_jobs", "completed")


def test_the_system_is_shown_in_figures_and_so_is_a_collection(any_gateway: Gateway, otto: httpx.Client) -> None:
    """A3: videos, tasks, storage; by collection; percentiles as well as means; with their age."""
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        submit(ada, collection="mall")
        complete(any_gateway.resources, MADE)
        submit(bob, collection="mall")
        submit(bob)
    whole = otto.get(f"{ADMIN}/stats").json()
    assert whole["videos"]["total"] == 3
    assert whole["videos"]["by_status"]["completed"] == 1
    assert whole["videos"]["by_status"]["queued"] == 2
    assert whole["videos"]["total_duration_seconds"] == 12.5
    assert whole["videos"]["total_storage_bytes"] == 4
    assert whole["jobs"]["by_type"] == {"probe": 3, "publish": 1}
    assert whole["jobs"]["by_status"]["completed"] == 2
    assert (whole["jobs"]["total"], whole["jobs"]["pending"]) == (4, 2)
    assert whole["jobs"]["processing_seconds"]["count"] == 1
    assert whole["jobs"]["processing_seconds"]["p95"] == whole["jobs"]["avg_processing_time_seconds"] >= 0
    assert whole["storage"]["total_bytes"] == 4 + whole["storage"]["upload_bytes"]
    assert whole["storage"]["proxy_count"] == 1
    mall = otto.get(f"{ADMIN}/stats", params={"collection": "mall"}).json()
    assert mall["videos"]["total"] == 2
    assert mall["jobs"]["by_type"] == {"probe": 2, "publish": 1}
    assert mall["storage"]["upload_bytes"] is None
    again = otto.get(f"{ADMIN}/stats").json()
    assert again["timestamp"] == whole["timestamp"], "the figures are kept for a while"
    assert again["age_seconds"] > whole["age_seconds"]


def test_tasks_are_listed_by_collection_status_type_and_page(any_gateway: Gateway, otto: httpx.Client) -> None:
    """A4: the tasks of all owners, with what names their claim and what they took."""
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        first = submit(ada, collection="mall")
        complete(any_gateway.resources, MADE)
        second = submit(bob, collection="mall")
        third = submit(bob)
    every = otto.get(f"{ADMIN}/jobs").json()
    assert [task["video_id"] for task in every["jobs"]] == [third, second, first, first]
    assert (every["total"], every["page"], every["page_size"], every["total_pages"]) == (4, 1, 20, 1)
    published = every["jobs"][2]
    assert (published["job_type"], published["status"]) == ("publish", "completed")
    assert published["message_id"] == f"{published['id']}-1"
    assert published["duration_seconds"] >= 0
    assert published["queued_at"] <= published["started_at"] <= published["completed_at"]

    def found(**query: Any) -> list[str]:
        answer = otto.get(f"{ADMIN}/jobs", params=query).json()
        assert answer["total"] == len(answer["jobs"]) or "page_size" in query
        return [f"{task['video_id']} {task['job_type']}" for task in answer["jobs"]]

    assert found(status_filter="pending") == [f"{third} probe", f"{second} probe"]
    assert found(status_filter="completed", job_type="probe") == [f"{first} probe"]
    assert found(collection="mall") == [f"{second} probe", f"{first} publish", f"{first} probe"]
    assert found(owner="bob", status_filter="queued") == [f"{third} probe", f"{second} probe"]
    assert found(page=2, page_size=3) == [f"{first} probe"]
    for query in ({}, {"collection": "mall"}):
        pages: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = otto.get(f"{ADMIN}/jobs", params={**query, **cursor, "page_size": 1}).json()
            pages += [f"{task['video_id']} {task['job_type']}" for task in page["jobs"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert pages == found(**query)
    assert otto.get(f"{ADMIN}/jobs", params={"page_size": 101}).status_code == 422


def test_queue_statistics_say_how_the_queues_are(any_gateway: Gateway, otto: httpx.Client) -> None:
    """A5: counts by status and type, with health and a summary."""
    with any_gateway.owner("ada") as ada:
        submit(ada)
        plan(any_gateway.resources)
        well = otto.get(f"{ADMIN}/queue-stats").json()
        assert (well["status"], well["health"]) == ("completed", "healthy")
        assert well["stats"]["by_type"] == {"probe": 1, "publish": 1}
        assert well["summary"] == {"running": 0, "pending": 1, "failed": 0, "has_dead_letter": False}
        any_gateway.app.state.figures._known.clear()
        fail(any_gateway)
    ill = otto.get(f"{ADMIN}/queue-stats").json()
    assert ill["health"] == "degraded"
    assert ill["summary"] == {"running": 0, "pending": 0, "failed": 1, "has_dead_letter": True}


def test_the_routes_of_administrators_have_limits_of_their_own(settings: Settings) -> None:
    """A9: cleanup, statistics and lists are limited each by their own class."""
    limits = {"rate_admin_cleanup": "1/hour", "rate_admin_stats": "2/hour", "rate_admin_jobs": "3/hour"}
    with closing(open_resources(settings.model_copy(update=limits))) as resources, serving(resources) as gateway:
        for method, path, allowed in (
            ("POST", "cleanup-old-jobs", 1),
            ("GET", "stats", 2),
            ("GET", "jobs", 3),
        ):
            answers = [gateway.admin.request(method, f"{ADMIN}/{path}").status_code for _ in range(allowed + 1)]
            assert answers == [200] * allowed + [429], path


def test_failed_jobs_are_retried_in_bulk_after_a_rehearsal(any_gateway: Gateway, otto: httpx.Client) -> None:
    """A12: by filter, with a dry run and a limit."""
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        for client in (ada, ada, bob):
            submit(client)
        failed = sorted(str(fail(any_gateway)) for _ in range(3))
    body = {"filter": {"owner": "ada", "error_code": "source_unreadable"}}
    rehearsed = otto.post(f"{ADMIN}/jobs/bulk-retry", json=body).json()
    assert (rehearsed["dry_run"], rehearsed["matched"], rehearsed["done"]) == (True, 2, 0)
    assert set(rehearsed["job_ids"]) < set(failed)
    assert otto.get(f"{ADMIN}/dead-letters").json()["total"] == 3
    done = otto.post(f"{ADMIN}/jobs/bulk-retry", json={**body, "dry_run": False, "limit": 1}).json()
    assert (done["matched"], done["done"], done["failed"]) == (2, 1, [])
    rest = otto.post(f"{ADMIN}/jobs/bulk-retry", json={"filter": {}, "dry_run": False}).json()
    assert (rest["matched"], rest["done"]) == (2, 2)
    assert otto.get(f"{ADMIN}/dead-letters").json()["total"] == 0
    assert audit(any_gateway, action="bulk_retry")[0]["after"]["done"] == 2


def test_jobs_are_cancelled_and_deleted_in_bulk(any_gateway: Gateway, otto: httpx.Client) -> None:
    """A12: only what has not ended is cancelled, only what has ended is deleted, and only administrators delete."""
    with any_gateway.owner("ada") as ada:
        ended = submit(ada, collection="mall")
        complete(any_gateway.resources, MADE)
        waiting = submit(ada, collection="mall")
        body = {"filter": {"collection": "mall"}, "dry_run": False}
        cancelled = otto.post(f"{ADMIN}/jobs/bulk-cancel", json=body).json()
        assert cancelled["job_ids"] == [waiting]
        assert otto.post(f"{ADMIN}/jobs/bulk-delete", json=body).status_code == 403
        only = {"filter": {"job_ids": [ended, waiting], "status": ["cancelled"]}, "dry_run": False}
        assert any_gateway.admin.post(f"{ADMIN}/jobs/bulk-delete", json=only).json()["job_ids"] == [waiting]
        assert any_gateway.admin.post(f"{ADMIN}/jobs/bulk-delete", json=body).json()["job_ids"] == [ended]
        assert ada.get("/api/v1/jobs").json()["total"] == 0
    assert list(any_gateway.resources.store.list(f"jobs/{ended}/")) == []


def test_dead_letters_are_inspected_retried_and_discarded_by_filter(any_gateway: Gateway, otto: httpx.Client) -> None:
    """A12: what failed for good shows its error and the end of its log."""
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        submit(ada)
        fail(any_gateway)
        submit(bob)
        fail(any_gateway)
    letters = otto.get(f"{ADMIN}/dead-letters", params={"owner": "ada"}).json()
    assert letters["total"] == 1
    letter = letters["dead_letters"][0]
    assert (letter["error_code"], letter["error_message"]) == ("source_unreadable", "no picture")
    assert (letter["owner"], letter["kind"], letter["log_tail"]) == ("ada", "probe", "moov atom not found")
    for query in ({"kind": "encode"}, {"error_code": "other"}, {"queue": "transcribe"}, {"to_date": "2020-01-01"}):
        assert otto.get(f"{ADMIN}/dead-letters", params=query).json()["total"] == 0, query
    body: dict[str, Any] = {"filter": {"owner": "ada"}, "dry_run": False}
    assert otto.post(f"{ADMIN}/dead-letters/retry", json=body).json()["job_ids"] == [letter["job_id"]]
    body = {"filter": {"owner": "bob"}, "dry_run": False}
    assert any_gateway.admin.post(f"{ADMIN}/dead-letters/discard", json=body).json()["done"] == 1
    assert otto.get(f"{ADMIN}/dead-letters").json()["total"] == 0


def test_a_queue_is_paused_resumed_and_purged_with_confirmation(any_gateway: Gateway, otto: httpx.Client) -> None:
    queue = f"{ADMIN}/queues/transcode"
    with any_gateway.owner("ada") as ada:
        running, waiting = submit(ada), submit(ada)
        assert str(claim(any_gateway.resources).job.id) == running
        paused = otto.post(f"{queue}/pause", json={"reason": "a new disk"}).json()
        assert (paused["paused"], paused["paused_by"], paused["reason"]) == (True, "user:otto", "a new disk")
        assert (paused["pending"], paused["running"]) == (1, 1)
        assert otto.get(f"{ADMIN}/queue-stats").json()["health"] == "degraded"
        assert otto.post(f"{queue}/resume").json()["paused"] is False
        purge = {"confirm": "transcribe", "dry_run": False}
        assert any_gateway.admin.post(f"{queue}/purge", json=purge).status_code == 422
        purged = any_gateway.admin.post(f"{queue}/purge", json={**purge, "confirm": "transcode"}).json()
        assert purged["job_ids"] == [waiting]
        assert ada.get(f"/api/v1/jobs/{running}").json()["status"] == "processing"
        assert ada.get(f"/api/v1/jobs/{waiting}").json()["status"] == "cancelled"
    assert otto.post(f"{ADMIN}/queues/nowhere/pause", json={}).json()["code"] == "queue_not_found"
    entries = audit(any_gateway, target="queue:transcode", outcome="done")
    assert [entry["action"] for entry in entries] == ["purge_queue", "resume_queue_now", "pause_queue_now"]
    assert entries[2]["before"] == {"paused": False}


def test_workers_are_listed_paused_resumed_and_drained(any_gateway: Gateway, otto: httpx.Client) -> None:
    presence = Presence(
        any_gateway.resources.database, name="a test's worker", service="transcoder", queue="transcode", slots=2,
        heartbeat_s=10.0,
    )  # fmt: skip
    presence.beat(WorkerState.RUNNING)
    with any_gateway.owner("ada") as ada:
        submit(ada)
    claimed = claim(any_gateway.resources)
    worker = otto.get(f"{ADMIN}/workers").json()["workers"][0]
    assert (worker["name"], worker["alive"], worker["state"]) == ("a test's worker", True, "running")
    assert worker["running"] == [str(claimed.task_id)]
    one = f"{ADMIN}/workers/{worker['id']}"
    assert otto.post(f"{one}/pause").json()["wish"] == "pause"
    assert otto.post(f"{one}/resume").json()["wish"] is None
    assert otto.post(f"{one}/drain").json()["wish"] == "drain"
    assert otto.post(f"{one}/resume").json()["code"] == "worker_stopped"
    nobody = f"{ADMIN}/workers/018f0000-0000-7000-8000-000000000000/pause"
    assert otto.post(nobody).json()["code"] == "worker_not_found"
    presence.close()
    assert otto.get(f"{ADMIN}/workers").json()["workers"] == []
    stopped = otto.get(f"{ADMIN}/workers", params={"stopped": True}).json()["workers"]
    assert [(found["state"], found["alive"]) for found in stopped] == [("stopped", False)]
    assert audit(any_gateway, action="drain_worker")[0]["after"] == {"wish": "drain"}


def test_a_schedule_is_run_now_paused_and_resumed(any_gateway: Gateway, otto: httpx.Client) -> None:
    from mill_watchdog.loop import watchdog

    with any_gateway.resources.database.write() as session:
        register(session, "old_jobs", cron="0 2 * * *", timezone="UTC", next_at=now(session).replace(year=2200))
    one = f"{ADMIN}/schedules/old_jobs"
    listed = {found["name"]: found for found in otto.get(f"{ADMIN}/schedules").json()["schedules"]}
    assert listed["old_jobs"]["next_scheduled"].startswith("2200-")
    assert otto.post(f"{one}/pause").json()["next_scheduled"] is None
    assert otto.post(f"{one}/run").json()["code"] == "schedule_paused"
    assert otto.post(f"{one}/resume").json()["paused"] is False
    assert otto.post(f"{one}/run").status_code == 202
    assert otto.post(f"{one}/pause").status_code == 200
    watching = watchdog(any_gateway.resources)
    watching.keep_schedules()
    runs = "/api/v1/monitoring/jobs/history"
    assert otto.get(runs, params={"job_name": "old_jobs"}).json()["jobs"] == [], "it is due, and paused"
    otto.post(f"{one}/resume")
    watching.keep_schedules()
    assert [run["status"] for run in otto.get(runs, params={"job_name": "old_jobs"}).json()["jobs"]] == ["completed"]
    assert otto.post(f"{ADMIN}/schedules/nothing/run").json()["code"] == "schedule_not_found"


def test_owners_are_listed_and_limited(any_gateway: Gateway, otto: httpx.Client) -> None:
    with any_gateway.owner("ada") as ada:
        change = {"weight": 2.0, "running_cap": 3, "jobs_quota": 1, "storage_quota": 1000}
        assert otto.patch(f"{ADMIN}/owners/ada", json=change).status_code == 403
        changed = any_gateway.admin.patch(f"{ADMIN}/owners/ada", json=change).json()
        assert {name: changed[name] for name in change} == change
        submit(ada)
        assert otto.get(f"{ADMIN}/owners/ada").json()["unended_jobs"] == 1
        assert ada.post("/api/v1/jobs", json={"source": {"url": "http://192.0.2.1/a.mp4"}}).status_code in (403, 429)
        unlimited = any_gateway.admin.patch(f"{ADMIN}/owners/ada", json={"running_cap": None}).json()
        assert (unlimited["running_cap"], unlimited["weight"], unlimited["jobs_quota"]) == (None, 2.0, 1)
    names = [found["owner"] for found in otto.get(f"{ADMIN}/owners").json()["owners"]]
    assert names == sorted(names) and "ada" in names
    assert otto.get(f"{ADMIN}/owners/nobody").json()["code"] == "owner_not_found"
    entry = audit(any_gateway, target="owner:ada")[-1]
    assert (entry["before"]["weight"], entry["after"]["weight"]) == (1.0, 2.0)
