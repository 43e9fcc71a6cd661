from __future__ import annotations

from datetime import UTC, datetime

import pytest
from client.scripted import JOB, Reply, ScriptedServer, job_view

from mill_client import Client, Conflict, ConnectionFailed, JobFailed, JobStatus, JobWebhook, ServerError, WaitTimeout
from mill_client._http import Settings

ID = job_view()["job_id"]
QUEUED = Reply.of(job_view("queued", 0))
HALF = Reply.of(job_view("processing", 50))
DONE = Reply.of(job_view("completed", 100))


def test_waiting_tells_each_step_and_ends_with_the_job(server: ScriptedServer, client: Client) -> None:
    server.on("GET", JOB, QUEUED, HALF, HALF, DONE)
    told: list[tuple[str, float]] = []
    job = client.jobs.wait(ID, on_progress=lambda job: told.append((job.status, job.progress.overall_progress)))
    assert job.status is JobStatus.COMPLETED
    assert told == [("queued", 0), ("processing", 50), ("completed", 100)]


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (
            "failed",
            {"code": "source_unreadable", "message": "Not a video."},
            r"failed: Not a video\. \(source_unreadable\)",
        ),
        ("cancelled", None, "was cancelled$"),
    ],
)
def test_a_job_that_does_not_complete_fails_the_wait(
    server: ScriptedServer, client: Client, status: str, error: object, words: str
) -> None:
    server.on("GET", JOB, HALF, Reply.of(job_view(status, 50, error=error)))
    with pytest.raises(JobFailed, match=words) as caught:
        client.jobs.wait(ID)
    assert caught.value.job.status == status


def test_waiting_ends_after_the_time_given(server: ScriptedServer, client: Client) -> None:
    server.on("GET", JOB, HALF)
    with pytest.raises(WaitTimeout, match=r"processing after 0\.3 s") as caught:
        client.jobs.wait(ID, timeout_s=0.3)
    assert caught.value.job is not None
    assert caught.value.job.progress.overall_progress == 50


def test_a_server_that_restarts_is_waited_for(server: ScriptedServer, client: Client) -> None:
    broken = Reply(200, b"x", cut=0)
    server.on("GET", JOB, HALF, *[broken] * 5, Reply(502), DONE)
    assert client.jobs.wait(ID).status is JobStatus.COMPLETED


def test_a_server_that_stays_away_ends_the_wait(server: ScriptedServer) -> None:
    server.on("GET", JOB, HALF, Reply(500, b"x", cut=0))
    with Client(server.url, retries=0) as client, pytest.raises(ConnectionFailed):
        list(client.jobs.follow(ID, outage_s=0.5))


def test_a_status_of_a_newer_server_is_kept(server: ScriptedServer, client: Client) -> None:
    server.on("GET", JOB, Reply.of(job_view("paused", 50)))
    status = client.jobs.get(ID).status
    assert (status, status == "paused", status.ended, str(status)) == (JobStatus("paused"), True, False, "paused")


def test_a_forced_job_without_a_key_is_not_asked_for_twice(server: ScriptedServer, client: Client) -> None:
    server.on("POST", "/api/v1/jobs", Reply(502), Reply.of(job_view(), 201))
    with pytest.raises(ServerError):
        client.jobs.create(upload_id="u1", force=True, reuse=True)
    assert len(server.seen) == 1


def test_no_secret_is_shown_with_what_holds_it(server: ScriptedServer, client: Client) -> None:
    server.on("POST", "/api/v1/keys", Reply.of({"id": "k1", "name": "ci", "key": "mill_hush"}, 201))
    server.on("POST", "/api/v1/webhooks", Reply.of({"id": "w1", "url": "https://a.example", "secret": "whsec_hush"}))
    server.on("POST", "/api/v1/jobs", Reply.of(job_view(webhook_secret="whsec_hush"), 201))
    hook = JobWebhook(url="https://a.example", secret="whsec_hush")
    made = [client.keys.create("ci"), client.webhooks.create(hook.url), client.jobs.create(url="https://a.example/b")]
    shown = repr([*made, hook, Settings.checked(server.url, "mill_hush", timeout_s=1, retries=0)])
    assert "hush" not in shown


def test_all_jobs_are_listed_page_after_page(server: ScriptedServer, client: Client) -> None:
    first, second = {"job_id": "a", "status": "queued"}, {"job_id": "b", "status": "failed"}
    server.on(
        "GET",
        "/api/v1/jobs",
        Reply.of({"jobs": [first], "next_cursor": "c1"}),
        Reply.of({"jobs": [second], "next_cursor": None}),
    )
    found = client.jobs.each(status=JobStatus.FAILED, search="x", page=1, priority=None)
    assert [job.job_id for job in found] == ["a", "b"]
    assert [seen.query for seen in server.seen] == [
        {"status": "failed", "search": "x", "page": "1"},
        {"status": "failed", "search": "x", "cursor": "c1"},
    ]


def test_deleting_waits_until_the_tasks_have_stopped(server: ScriptedServer, client: Client) -> None:
    running = Reply.problem(409, "job_running")
    server.on("DELETE", JOB, running, running, Reply.of({"job_id": ID, "deleted": True, "files_deleted": 4}))
    assert client.jobs.delete(ID, files=False).files_deleted == 4
    assert [seen.query for seen in server.seen] == [{"delete_files": "false"}] * 3


def test_deleting_gives_up_when_the_tasks_do_not_stop(server: ScriptedServer, client: Client) -> None:
    server.on("DELETE", JOB, Reply.problem(409, "job_running", "It still runs."))
    with pytest.raises(Conflict, match="still runs"):
        client.jobs.delete(ID, timeout_s=0.3)
    assert len(server.seen) > 1


def test_another_conflict_is_told_at_once(server: ScriptedServer, client: Client) -> None:
    server.on("DELETE", JOB, Reply.problem(409, "upload_in_use"))
    with pytest.raises(Conflict):
        client.jobs.delete(ID)
    assert len(server.seen) == 1


def test_cancelling_says_what_became_of_it(server: ScriptedServer, client: Client) -> None:
    server.on("POST", f"{JOB}/cancel", Reply.of({"job_id": ID, "status": "processing", "message": "Stopping."}))
    assert client.jobs.cancel(ID).message == "Stopping."


def test_an_id_cannot_reach_another_path(server: ScriptedServer, client: Client) -> None:
    server.on("GET", "/api/v1/jobs/a/../../keys", Reply.of(job_view()))
    client.jobs.get("a/../../keys")
    assert server.seen[0].path == "/api/v1/jobs/a/../../keys"


def test_a_key_is_made_with_what_was_asked(server: ScriptedServer, client: Client) -> None:
    server.on("POST", "/api/v1/keys", Reply.of({"id": "k1", "name": "ci", "key": "mill_x"}, 201))
    key = client.keys.create("ci", owner="ann", scopes=["jobs"], expires_at=datetime(2030, 1, 1, tzinfo=UTC))
    assert key.key == "mill_x"
    body = server.seen[0].json
    assert datetime.fromisoformat(body.pop("expires_at")) == datetime(2030, 1, 1, tzinfo=UTC)
    assert body == {"name": "ci", "owner": "ann", "scopes": ["jobs"]}


def test_a_revoked_key_leaves_no_answer_to_read(server: ScriptedServer, client: Client) -> None:
    server.on("DELETE", "/api/v1/keys/k1", Reply(204))
    client.keys.revoke("k1")
    assert len(server.seen) == 1
