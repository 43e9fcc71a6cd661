"""Q1: the same request twice is one job, though neither says so with a key."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import httpx
import pytest
from api.running import Gateway, claim, complete, upload

from mill_common.errors import SourceUnreadable
from mill_common.queue import Spent
from mill_common.queue.types import SourceFacts, TaskResult

JOBS = "/api/v1/jobs"
CLIP = b"the very same moving pictures"


def ask(client: httpx.Client, source: dict[str, Any], **more: Any) -> tuple[int, str, bool]:
    """Status, job and `already_existed` of a request."""
    sent = client.post(JOBS, json={"source": source, **more})
    view = sent.json()
    return sent.status_code, view["job_id"], view["already_existed"]


def again(client: httpx.Client, **more: Any) -> tuple[int, str, bool]:
    """The same bytes, uploaded anew."""
    return ask(client, {"upload_id": upload(client, CLIP, "another name.mp4")}, **more)


def test_the_same_bytes_and_spec_are_one_job(any_gateway: Gateway) -> None:
    """Q1: `already_existed`, whatever upload the bytes came in and however the spec is written down."""
    with any_gateway.owner("ada") as ada:
        status, job, existed = again(ada, spec={"hls": True})
        assert (status, existed) == (201, False)
        assert again(ada) == (200, job, True)
        assert again(ada, priority=9, metadata={"other": 1}) == (200, job, True)
        complete(any_gateway.resources)
        assert again(ada) == (200, job, True)


def test_other_outputs_other_owners_and_force_are_other_jobs(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        jobs = {
            again(ada)[1],
            again(ada, spec={"hls": False})[1],
            again(ada, force=True)[1],
            again(bob)[1],
            ada.post(
                JOBS, json={"source": {"upload_id": upload(ada, CLIP)}}, headers={"Idempotency-Key": "another"}
            ).json()["job_id"],
        }
    assert len(jobs) == 5


def test_the_latest_job_answers_after_a_forced_one(gateway: Gateway, ada: httpx.Client) -> None:
    again(ada)
    _, forced, existed = again(ada, force=True)
    assert not existed
    assert again(ada) == (200, forced, True)


@pytest.mark.parametrize("end", ["cancelled", "failed", "deleted"])
def test_a_job_that_came_to_nothing_is_made_anew(gateway: Gateway, ada: httpx.Client, end: str) -> None:
    _, job, _ = again(ada)
    if end == "failed":
        gateway.resources.queue.fail(claim(gateway.resources), SourceUnreadable(), Spent())
    else:
        ada.post(f"{JOBS}/{job}/cancel")
        if end == "deleted":
            ada.delete(f"{JOBS}/{job}")
    status, other, existed = again(ada)
    assert (status, existed) == (201, False)
    assert other != job


def test_the_same_bytes_at_the_same_time_are_one_job(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        sources = [upload(ada, CLIP) for _ in range(12)]
        with ThreadPoolExecutor(12) as threads:
            answers = list(threads.map(lambda source: ask(ada, {"upload_id": source}), sources))
    assert len({job for _, job, _ in answers}) == 1
    assert sorted(status for status, _, _ in answers) == [200] * 11 + [201]


def test_an_object_is_the_same_until_it_is_replaced(any_gateway: Gateway) -> None:
    """Q1, Q7: the same object key twice is one job."""
    store = any_gateway.resources.store
    key = "incoming/ada/clip.mp4"
    store.put(key, BytesIO(b"first"), size=5, content_type="video/mp4")
    with any_gateway.owner("ada") as ada:
        _, job, _ = ask(ada, {"object_key": key})
        assert ask(ada, {"object_key": key}) == (200, job, True)
        store.put(key, BytesIO(b"longer"), size=6, content_type="video/mp4")
        assert ask(ada, {"object_key": key})[0] == 201


def test_a_url_is_the_same_only_while_its_job_runs(gateway: Gateway, ada: httpx.Client) -> None:
    url = {"url": "https://example.com/clip.mp4"}
    _, job, _ = ask(ada, url)
    assert ask(ada, url) == (200, job, True)
    fetched = SourceFacts(object_key="uploads/fetched", size=5, sha256="ab" * 32, filename="clip.mp4")
    gateway.resources.queue.finish(claim(gateway.resources), TaskResult(source=fetched), [], Spent())
    complete(gateway.resources)
    assert ask(ada, url)[0] == 201, "what lies there may have changed since"


def test_bytes_that_a_worker_was_first_to_read_are_known_from_then_on(any_gateway: Gateway) -> None:
    """A direct upload has no checksum until the source is probed."""
    with any_gateway.owner("ada") as ada:
        begun = ada.post("/api/v1/uploads/direct", json={"filename": "a.mp4", "size": len(CLIP)}).json()
        at = begun["url"] if begun["url"].startswith("http") else any_gateway.url + begun["url"]
        assert httpx.put(at, content=CLIP).status_code == 200
        ada.post(f"/api/v1/uploads/{begun['id']}/complete")
        _, job, _ = ask(ada, {"upload_id": begun["id"]})
        assert ask(ada, {"upload_id": begun["id"]}) == (200, job, True)
        probe = claim(any_gateway.resources)
        twin = ada.get(f"/api/v1/uploads/{upload(ada, CLIP)}").json()
        facts = SourceFacts(
            object_key=probe.job.source_key or "", size=len(CLIP), sha256=twin["sha256"], filename="a.mp4"
        )
        any_gateway.resources.queue.finish(probe, TaskResult(source=facts), [], Spent())
        assert ask(ada, {"upload_id": twin["id"]}) == (200, job, True)
        assert ada.get(f"/api/v1/uploads/{begun['id']}").json()["sha256"] == twin["sha256"]
