"""J5: live progress over Server-Sent Events."""

from __future__ import annotations

import time
from uuid import UUID, uuid4

import httpx
import pytest
from api.listening import Event, listen
from api.running import Gateway, claim, complete, plan, serving, submit
from api.signing_in import bearing, make_user, sign_in
from sqlmodel import col, delete
from waiting import wait_for

from mill_api.live import events
from mill_api.live import hub as hub_module
from mill_api.live.tickets import Ticket, make_ticket
from mill_common.errors import SourceUnreadable
from mill_common.models import Job
from mill_common.queue import Spent, TaskResult
from mill_common.resources import open_resources
from mill_common.settings import Settings
from mill_common.signing import Signer

TICKETS = "/api/v1/events/tickets"


def progress_of(job_id: str) -> str:
    """Where a job's progress is told."""
    return f"/api/v1/events/{job_id}/progress"


def test_a_job_is_told_from_its_first_step_to_its_end(any_gateway: Gateway) -> None:
    """J5: `progress` with the fields of document 001, then `complete`, and the stream ends."""
    wired = any_gateway.resources
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        with listen(ada, progress_of(job_id)) as stream:
            first = stream.next("progress").data
            assert (first["job_id"], first["status"], first["overall_progress"]) == (job_id, "queued", 0.0)
            plan(wired)
            claimed = claim(wired)
            wired.queue.heartbeat(claimed, 0.25, "muxing")
            seen = next(event.data for event in stream if event.data.get("progress") == 25.0)
            assert seen["current_task"] == "publish"
            assert seen["current_stage"] == "muxing"
            assert seen["status"] == "processing"
            assert 0 < seen["overall_progress"] < 100
            assert {"eta_seconds", "updated_at"} <= seen.keys()
            wired.queue.finish(claimed, TaskResult(publish=True), [], Spent())
            rest = stream.rest()
        job = ada.get(f"/api/v1/jobs/{job_id}").json()
    assert [event.name for event in rest[-2:]] == ["progress", "complete"]
    assert rest[-2].data["overall_progress"] == 100.0
    assert rest[-1].data["status"] == "completed"
    assert rest[-1].data["completed_at"] == job["completed_at"]


def test_a_new_stage_is_an_event_even_where_progress_stands_still(any_gateway: Gateway) -> None:
    wired = any_gateway.resources
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        plan(wired)
        claimed = claim(wired)
        wired.queue.heartbeat(claimed, 0.5, "first")
        with listen(ada, progress_of(job_id)) as stream:
            assert stream.next("stage").data["current_stage"] == "first"
            wired.queue.heartbeat(claimed, 0.5, "second")
            assert stream.next("stage").data["current_stage"] == "second"


def test_overall_progress_never_falls(gateway: Gateway, ada: httpx.Client) -> None:
    wired = gateway.resources
    job_id = submit(ada)
    plan(wired)
    with listen(ada, progress_of(job_id)) as stream:
        wired.queue.heartbeat(claim(wired), 0.6, "muxing")
        shown = [next(event.data for event in stream if event.data.get("progress") == 60.0)["overall_progress"]]
        assert ada.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 200
        shown += [event.data["overall_progress"] for event in stream.rest() if event.name == "progress"]
    assert shown == sorted(shown) and len(shown) > 1


def test_a_cancelled_job_completes_as_cancelled(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        with listen(ada, progress_of(job_id)) as stream:
            stream.next("progress")
            assert ada.post(f"/api/v1/jobs/{job_id}/cancel").status_code == 200
            end = stream.rest()[-1]
    assert (end.name, end.data["status"]) == ("complete", "cancelled")


def test_a_failed_job_completes_with_its_error(gateway: Gateway, ada: httpx.Client) -> None:
    job_id = submit(ada)
    with listen(ada, progress_of(job_id)) as stream:
        claimed = claim(gateway.resources)
        gateway.resources.queue.fail(claimed, SourceUnreadable("There is no picture in it."), Spent())
        end = stream.rest()[-1].data
    assert (end["status"], end["error_code"]) == ("failed", "source_unreadable")
    assert end["error_message"] == "There is no picture in it."


def test_the_stream_of_a_job_that_is_deleted_ends(any_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RECHECK_S", 0.0)
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        with listen(ada, progress_of(job_id)) as stream:
            stream.next("progress")
            with any_gateway.resources.database.write() as session:
                session.execute(delete(Job).where(col(Job.id) == UUID(job_id)))
            end = stream.rest()[-1]
    assert (end.name, end.data["status"]) == ("complete", "deleted")


def test_whoever_comes_back_hears_what_came_meanwhile_and_nothing_twice(any_gateway: Gateway) -> None:
    wired = any_gateway.resources
    with any_gateway.owner("ada") as ada:
        job_id = submit(ada)
        plan(wired)
        claimed = claim(wired)
        with listen(ada, progress_of(job_id)) as stream:
            seen = stream.next("progress").id
        with listen(ada, progress_of(job_id), last_id=seen) as stream:
            wired.queue.heartbeat(claimed, 0.75, "later")
            assert stream.next("progress").data["progress"] == 75.0, "what was seen before is not told again"
        wired.queue.finish(claimed, TaskResult(publish=True), [], Spent())
        with listen(ada, progress_of(job_id), last_id=seen) as stream:
            end = stream.rest()[-1]
        assert end.name == "complete"
        with listen(ada, progress_of(job_id), last_id=end.id) as stream:
            assert stream.response.status_code == 204, "this stops an EventSource"


def test_the_stream_is_neither_kept_nor_buffered_on_its_way(gateway: Gateway, ada: httpx.Client) -> None:
    job_id = submit(ada)
    with listen(ada, progress_of(job_id)) as stream:
        headers = stream.response.headers
    assert headers["content-type"].startswith("text/event-stream")
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    head = ada.head(progress_of(job_id))
    assert (head.status_code, head.content) == (200, b"")


def test_a_look_at_the_head_of_a_stream_leaves_the_connection_free(gateway: Gateway, ada: httpx.Client) -> None:
    for url in (progress_of(submit(ada)), "/api/v1/events"):
        head = ada.head(url)
        assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
        assert ada.get("/health").status_code == 200
    assert gateway.app.state.hub.watching == 0


def test_an_idle_stream_is_kept_alive(gateway: Gateway, ada: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PING_S", 0.05)
    job_id = submit(ada)
    with ada.stream("GET", progress_of(job_id), timeout=60) as response:
        assert any(line.startswith(": ping") for line in response.iter_lines())


def test_an_owner_hears_of_every_job_of_theirs_and_of_no_other(any_gateway: Gateway) -> None:
    wired = any_gateway.resources
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        with listen(ada, "/api/v1/events") as stream:
            others = submit(bob)
            assert bob.post(f"/api/v1/jobs/{others}/cancel").status_code == 200
            mine = [submit(ada), submit(ada)]
            for _ in mine:
                complete(wired)
            heard: list[Event] = []
            while [event.name for event in heard].count("complete") < 2:
                heard.append(stream.next())
        assert {event.data["job_id"] for event in heard} == set(mine)
        with listen(ada, "/api/v1/events", last_id=heard[0].id) as stream:
            again = [stream.next("complete"), stream.next("complete")]
    assert {event.data["job_id"] for event in again} == set(mine), "those that changed since are told first"


def test_another_owners_job_is_not_there(gateway: Gateway, ada: httpx.Client, bob: httpx.Client) -> None:
    job_id = submit(ada)
    for url in (progress_of(job_id), progress_of(str(uuid4()))):
        with listen(bob, url) as stream:
            assert (stream.response.status_code, stream.response.json()["code"]) == (404, "job_not_found")
    with listen(ada, progress_of(job_id)) as hers, listen(bob, progress_of(job_id)) as stream:
        hers.next()
        assert stream.response.status_code == 404, "also while its owner watches"
    assert bob.post(TICKETS, json={"job_id": job_id}).status_code == 404


def test_a_ticket_lets_a_browser_watch_without_a_key(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada, any_gateway.client() as browser:
        job_id = submit(ada)
        one = ada.post(TICKETS, json={"job_id": job_id}).json()
        every = ada.post(TICKETS).json()
        assert one["url"] == f"{progress_of(job_id)}?ticket={one['ticket']}"
        with listen(browser, one["url"]) as stream:
            assert stream.next().data["job_id"] == job_id
            origin = {"Origin": "https://player.example"}
            assert browser.head(one["url"], headers=origin).headers["access-control-allow-origin"] == "*"
        with listen(browser, every["url"]) as stream:
            claim(any_gateway.resources)
            assert stream.next().data["job_id"] == job_id


def test_a_ticket_opens_nothing_else(gateway: Gateway, ada: httpx.Client) -> None:
    job_id, other_id = submit(ada), submit(ada)
    ticket = ada.post(TICKETS, json={"job_id": job_id}).json()["ticket"]
    every = ada.post(TICKETS).json()["ticket"]
    signer = Signer.from_settings(gateway.resources.settings)
    late = make_ticket(signer, Ticket(uuid4(), None), int(time.time()) - 1)
    strange = make_ticket(signer, Ticket(uuid4(), None), int(time.time()) + 60)
    with gateway.client() as browser:

        def code(url: str, text: str) -> str:
            answer = browser.get(url, params={"ticket": text})
            assert answer.is_error
            said: str = answer.json()["code"]
            return said

        assert code(progress_of(other_id), ticket) == "forbidden"
        assert code("/api/v1/events", ticket) == "forbidden"
        assert code(progress_of(job_id), every) == "forbidden"
        assert code("/api/v1/jobs", every) == "unauthenticated"
        assert code("/api/v1/events", late) == "link_expired"
        assert code("/api/v1/events", strange) == "unauthenticated", "its key is not there"
        for bent in (every[:-1] + ("A" if every[-1] != "A" else "B"), "1" + every, "", "x", "1.2.3", "٣" + every):
            assert code("/api/v1/events", bent) == "signature_invalid", bent


def test_a_ticket_ends_with_its_key(gateway: Gateway) -> None:
    made = gateway.admin.post("/api/v1/keys", json={"name": "short-lived", "owner": "ada"}).json()
    with gateway.client(made["key"]) as ada:
        url = ada.post(TICKETS).json()["url"]
    assert gateway.admin.delete(f"/api/v1/keys/{made['id']}").status_code == 204
    with gateway.client() as browser:
        assert browser.get(url).status_code == 401


def test_nothing_is_read_once_nobody_watches(gateway: Gateway, ada: httpx.Client) -> None:
    hub = gateway.app.state.hub
    job_id = submit(ada)
    with listen(ada, progress_of(job_id)) as stream, listen(ada, "/api/v1/events"):
        stream.next()
        wait_for(lambda: hub.watching == 2)
    wait_for(lambda: hub.watching == 0)
    assert hub.known(UUID(job_id)) is None


def test_a_server_that_stops_ends_its_streams(settings: Settings) -> None:
    resources = open_resources(settings)
    stopping = serving(resources)
    gateway = stopping.__enter__()
    with gateway.owner("ada") as ada, listen(ada, progress_of(submit(ada))) as stream:
        stream.next()
        stopping.__exit__(None, None, None)
        assert stream.rest() is not None, "it ends as HTTP says, not by a broken connection"
    resources.close()


def test_a_revoked_key_hears_no_more_and_others_do(any_gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PING_S", 3600)  # a stream that stays open says nothing, and the client gives up
    made = any_gateway.admin.post("/api/v1/keys", json={"name": "leaked", "owner": "ada"}).json()
    with any_gateway.owner("ada") as ada, any_gateway.client(made["key"]) as leaked:
        job_id = submit(ada)
        with listen(leaked, progress_of(job_id)) as lost, listen(ada, progress_of(job_id)) as kept:
            lost.next("progress")
            kept.next("progress")
            assert any_gateway.admin.delete(f"/api/v1/keys/{made['id']}").status_code == 204
            assert lost.rest() == []
            ada.post(f"/api/v1/jobs/{job_id}/cancel")
            assert kept.next("complete").data["status"] == "cancelled"


def test_an_ended_session_hears_no_more_and_a_ticket_ends_with_its_user(
    any_gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PING_S", 3600)
    user = make_user(any_gateway, "grace", "operator")
    tokens = sign_in(any_gateway, "grace")
    with bearing(any_gateway, tokens["access_token"]) as grace, any_gateway.client() as browser:
        job_id = submit(grace)
        url = progress_of(job_id)
        ticket = grace.post(TICKETS, json={"job_id": job_id}).json()["ticket"]
        with listen(grace, url) as own, listen(browser, f"{url}?ticket={ticket}") as handed_on:
            own.next("progress")
            handed_on.next("progress")
            browser.post("/api/v1/auth/logout", json={"refresh_token": tokens["refresh_token"]})
            assert own.rest() == []
            any_gateway.admin.patch(f"/api/v1/admin/users/{user['id']}", json={"disabled": True})
            assert handed_on.rest() == []
