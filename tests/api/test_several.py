"""A job of several sources."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from uuid import UUID

import httpx
import pytest
from api.running import MEDIA, Gateway, claim, complete, upload
from sqlalchemy import update
from sqlmodel import col, select

from mill_common.clock import db_now
from mill_common.models import JobSource, Owner, Task, Upload
from mill_common.queue import Spent
from mill_common.queue.types import SourceFacts, TaskResult
from mill_common.states import TaskStatus

JOBS = "/api/v1/jobs"
URL = "https://example.org/films/Ein%20Film.mp4"
SEGMENT = {"width": 640, "height": 360, "fps": 25.0, "has_video": True, "has_audio": True, "sha256": "ab" * 32}
SEGMENTS = [
    {"index": 0, "filename": "a.mp4", "start_s": 0.0, "duration_s": 5.0, **SEGMENT},
    {"index": 1, "filename": "b.mp4", "start_s": 5.0, "duration_s": 7.5, **SEGMENT},
]


def ask(client: httpx.Client, *sources: dict[str, Any] | str, **more: Any) -> httpx.Response:
    """Ask for a job of these sources; a text is an upload's id."""
    several = [{"upload_id": source} if isinstance(source, str) else source for source in sources]
    return client.post(JOBS, json={"sources": several, **more})


def accepted(answer: httpx.Response) -> str:
    """The new job's id."""
    assert answer.status_code == 201, answer.text
    job_id: str = answer.json()["job_id"]
    return job_id


def tasks(gateway: Gateway) -> dict[str, Task]:
    """All tasks by name."""
    with gateway.resources.database.read() as session:
        return {task.name: task for task in session.exec(select(Task)).all()}


def merge(gateway: Gateway, **facts: Any) -> None:
    """Finish the merge that waits."""
    claimed = claim(gateway.resources)
    assert claimed.kind == "merge"
    source = SourceFacts(object_key="jobs/merged", size=9, sha256="cd" * 32, filename="a.mp4")
    gateway.resources.queue.finish(claimed, TaskResult(source=source, result=facts), [], Spent())


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ["body", "sources"]),
        ({"source": None, "sources": None}, ["body", "sources"]),
        ({"source": {"url": URL}, "sources": [{"url": URL}, {"url": URL}]}, ["body", "sources"]),
        ({"sources": []}, ["body", "sources"]),
        ({"sources": [{"url": URL}]}, ["body", "sources"]),
        ({"sources": [{"url": URL}] * 21}, ["body", "sources"]),
        ({"sources": [{"url": URL}, {"url": "file:///etc/passwd"}]}, ["body", "sources", 1, "url"]),
        ({"sources": [{"url": URL}, {}]}, ["body", "sources", 1]),
    ],
)
def test_a_request_has_one_source_or_two_to_twenty(
    gateway: Gateway, ada: httpx.Client, body: dict[str, Any], loc: list[Any]
) -> None:
    answer = ada.post(JOBS, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert [error["loc"] for error in answer.json()["errors"]] == [loc]
    assert tasks(gateway) == {}


def test_urls_are_fetched_one_after_the_other_and_then_all_is_merged(gateway: Gateway, ada: httpx.Client) -> None:
    accepted(ask(ada, {"url": URL}, upload(ada, b"12345", "b.mp4"), {"url": "https://example.org/c.mp4"}))
    made = tasks(gateway)
    assert {name: task.status for name, task in made.items()} == {
        "fetch-00": TaskStatus.QUEUED,
        "fetch-02": TaskStatus.BLOCKED,
        "merge": TaskStatus.BLOCKED,
        "probe": TaskStatus.BLOCKED,
    }
    names = [source["filename"] for source in made["merge"].params["sources"]]
    assert names == ["Ein Film.mp4", "b.mp4", "c.mp4"]
    assert made["fetch-00"].params["stored_bytes"] == 5
    order = []
    for _ in range(4):
        claimed = claim(gateway.resources)
        order.append(claimed.name)
        gateway.resources.queue.finish(claimed, TaskResult(), [], Spent())
    assert order == ["fetch-00", "fetch-02", "merge", "probe"]


def test_the_job_says_where_each_source_begins(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        job = accepted(ask(ada, upload(ada, filename="a.mp4"), upload(ada, filename="b.mp4")))
        before = ada.get(f"{JOBS}/{job}").json()["source"]
        assert (before["filename"], before["video_count"], before["segments"]) == ("a.mp4", 2, None)
        merge(any_gateway, segments=SEGMENTS, video_count=2)
        complete(any_gateway.resources, media={**MEDIA, "segments": SEGMENTS, "video_count": 2})
        source = ada.get(f"{JOBS}/{job}").json()["source"]
    assert [(each["index"], each["filename"]) for each in source["segments"]] == [(0, "a.mp4"), (1, "b.mp4")]
    assert [each["start_seconds"] for each in source["segments"]] == [0.0, 5.0]
    assert [each["duration_seconds"] for each in source["segments"]] == [5.0, 7.5]
    assert (source["segments"][1]["width"], source["segments"][1]["file_hash"]) == (640, "ab" * 32)
    assert (source["video_count"], source["file_hash"], source["size_bytes"]) == (2, "cd" * 32, 9)


def test_a_single_source_has_no_segments(gateway: Gateway, ada: httpx.Client) -> None:
    sent = ada.post(JOBS, json={"source": {"upload_id": upload(ada)}})
    assert (sent.json()["source"]["video_count"], sent.json()["source"]["segments"]) == (1, None)


def test_a_source_that_is_not_there_is_named(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada, any_gateway.owner("bob") as bob:
        theirs = upload(bob)
        answer = ask(ada, upload(ada), theirs)
        assert (answer.status_code, answer.json()["code"]) == (422, "source_missing")
        assert answer.json()["detail"].startswith(f"sources[1] ({theirs}): ")
        answer = ask(ada, {"object_key": "incoming/bob/a.mp4"}, upload(ada))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert answer.json()["detail"].startswith("sources[0] (incoming/bob/a.mp4): ")
    assert tasks(any_gateway) == {}


def test_all_sources_together_are_as_large_as_one_may_be(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        small, large = upload(ada, b"12345"), upload(ada, b"1234567")
        with any_gateway.resources.database.write() as session:
            session.get_one(Owner, "ada").max_source_bytes = 11
        answer = ask(ada, small, large)
        assert (answer.status_code, answer.json()["code"]) == (413, "source_too_large")
        accepted(ask(ada, small, small))
    assert tasks(any_gateway)["merge"].params["max_source_bytes"] == 11


def test_an_upload_that_is_one_of_several_is_in_use_until_the_job_goes(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        kept = upload(ada)
        job = accepted(ask(ada, upload(ada), kept))
        assert ada.delete(f"/api/v1/uploads/{kept}").json()["code"] == "upload_in_use"
        with any_gateway.resources.database.write() as session:
            session.execute(update(Upload).where(col(Upload.id) == UUID(kept)).values(expires_at=db_now(-1.0)))
        accepted(ask(ada, kept, upload(ada)))
        for job_id in [job, *(each["job_id"] for each in ada.get(JOBS).json()["jobs"])]:
            ada.post(f"{JOBS}/{job_id}/cancel")
            ada.delete(f"{JOBS}/{job_id}")
        assert ada.delete(f"/api/v1/uploads/{kept}").status_code == 204
    with any_gateway.resources.database.read() as session:
        assert session.exec(select(JobSource)).all() == []


def test_the_same_sources_in_the_same_order_are_one_job(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        first = ask(ada, upload(ada, b"one"), upload(ada, b"two"))
        again = ask(ada, upload(ada, b"one"), upload(ada, b"two"))
        assert (again.status_code, again.json()["job_id"]) == (200, accepted(first))
        others = [
            ask(ada, upload(ada, b"two"), upload(ada, b"one")),
            ask(ada, upload(ada, b"one"), upload(ada, b"two"), upload(ada, b"two")),
            ask(ada, upload(ada, b"one"), upload(ada, b"two"), spec={"hls": False}),
            ask(ada, upload(ada, b"one"), upload(ada, b"two"), force=True),
        ]
    assert len({accepted(other) for other in others} | {accepted(first)}) == 5


def test_what_lies_at_a_url_among_several_may_have_changed(gateway: Gateway, ada: httpx.Client) -> None:
    known = upload(ada)
    job = accepted(ask(ada, {"url": URL}, known))
    assert ask(ada, {"url": URL}, known).json()["job_id"] == job
    ada.post(f"{JOBS}/{job}/cancel")
    other = accepted(ask(ada, {"url": URL}, known))
    gateway.resources.queue.finish(claim(gateway.resources), TaskResult(), [], Spent())
    merge(gateway, segments=SEGMENTS, video_count=2)
    complete(gateway.resources)
    assert accepted(ask(ada, {"url": URL}, known)) not in {job, other}


def test_an_idempotency_key_covers_every_source(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        one, two = upload(ada, b"one"), upload(ada, b"two")

        def send(*sources: dict[str, Any] | str) -> tuple[int, str]:
            several = [{"upload_id": source} if isinstance(source, str) else source for source in sources]
            answer = ada.post(JOBS, json={"sources": several}, headers={"Idempotency-Key": "k"})
            return answer.status_code, answer.json().get("job_id") or answer.json()["code"]

        status, job = send(one, two)
        assert status == 201
        assert send(one, two) == (200, job)
        assert send(one, upload(ada, b"two")) == (200, job), "the same bytes, uploaded anew"
        mismatch = (422, "idempotency_mismatch")
        assert send(two, one) == mismatch
        assert send(one, upload(ada, b"three")) == mismatch
        assert send(one, two, two) == mismatch
        assert send(one, {"url": URL}) == mismatch
        alone = ada.post(JOBS, json={"source": {"upload_id": one}}, headers={"Idempotency-Key": "k"})
        assert alone.json()["code"] == "idempotency_mismatch"


def test_objects_are_merged_as_uploads_are(any_gateway: Gateway) -> None:
    store = any_gateway.resources.store
    for name in ("a.mp4", "b.mp4"):
        store.put(f"incoming/ada/{name}", BytesIO(b"film"), size=4, content_type="video/mp4")
    keys = [{"object_key": f"incoming/ada/{name}"} for name in ("a.mp4", "b.mp4")]
    with any_gateway.owner("ada") as ada:
        job = accepted(ask(ada, *keys))
        assert ask(ada, *keys).json()["job_id"] == job
        store.put("incoming/ada/b.mp4", BytesIO(b"other"), size=5, content_type="video/mp4")
        assert accepted(ask(ada, *keys)) != job
