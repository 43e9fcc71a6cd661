"""What an owner may not exceed: storage, unfinished jobs, the size and length of a source."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import httpx
import pytest
from api.running import Gateway, claim, complete, submit, upload
from sqlmodel import select

from mill_common.errors import SourceUnreadable
from mill_common.models import Owner, Upload
from mill_common.queue import Spent
from mill_common.quotas import usage_of

UPLOADS = "/api/v1/uploads"
JOBS = "/api/v1/jobs"
MP4 = {"Content-Type": "video/mp4"}
QUOTA = 1_000_000


def allow(gateway: Gateway, owner: str, **limits: Any) -> None:
    """Set an owner's own limits."""
    with gateway.resources.database.write() as session:
        row = session.get_one(Owner, owner)
        for name, value in limits.items():
            setattr(row, name, value)


def used(gateway: Gateway, owner: str) -> int:
    """Bytes that an owner has in storage, by the books."""
    with gateway.resources.database.read() as session:
        return usage_of(session, owner).stored_bytes


def send(client: httpx.Client, size: int, *, announced: bool = True) -> httpx.Response:
    """Hand in so many bytes."""
    content = bytes(size) if announced else iter([bytes(50_000)] * (size // 50_000) + [bytes(size % 50_000)])
    return client.post(UPLOADS, content=content, headers=MP4)


@pytest.mark.parametrize("announced", [True, False])
def test_an_upload_beyond_the_storage_quota_is_refused_with_the_numbers(any_gateway: Gateway, announced: bool) -> None:
    """J16: enforced at upload, also while the bytes stream."""
    with any_gateway.owner("ada") as ada:
        allow(any_gateway, "ada", storage_quota=QUOTA)
        assert send(ada, 600_000).status_code == 201
        answer = send(ada, 400_001, announced=announced)
        assert (answer.status_code, answer.json()["code"]) == (413, "storage_quota_exceeded")
        assert answer.json()["quota"] == {"limit": QUOTA, "used": 600_000, "requested": 400_001}
        assert send(ada, 400_000, announced=announced).status_code == 201
        assert send(ada, 1).json()["code"] == "storage_quota_exceeded"
        with any_gateway.owner("bob") as bob:
            assert send(bob, 2_000_000).status_code == 201, "another owner has another quota"
    assert used(any_gateway, "ada") == QUOTA
    assert sum(stat.size for stat in any_gateway.resources.store.list("uploads/")) == QUOTA + 2_000_000


def test_uploads_side_by_side_do_not_exceed_the_quota_together(any_gateway: Gateway) -> None:
    """J16."""
    with any_gateway.owner("ada") as ada:
        allow(any_gateway, "ada", storage_quota=QUOTA)
        with ThreadPoolExecutor(8) as threads:
            answers = [answer.status_code for answer in threads.map(lambda _: send(ada, 300_000), range(8))]
    assert sorted(answers) == [201] * 3 + [413] * 5
    assert used(any_gateway, "ada") == 900_000
    assert sum(stat.size for stat in any_gateway.resources.store.list("uploads/")) == 900_000


def test_a_direct_upload_takes_its_room_when_it_is_announced(gateway: Gateway, ada: httpx.Client) -> None:
    allow(gateway, "ada", storage_quota=QUOTA)
    body = {"filename": "a.mp4", "size": 700_000}
    begun = ada.post(f"{UPLOADS}/direct", json=body)
    assert begun.status_code == 201
    assert ada.post(f"{UPLOADS}/direct", json=body).json()["code"] == "storage_quota_exceeded"
    ada.delete(f"{UPLOADS}/{begun.json()['id']}")
    assert ada.post(f"{UPLOADS}/direct", json=body).status_code == 201


def test_what_jobs_make_counts_until_they_are_deleted(any_gateway: Gateway) -> None:
    """J16."""
    with any_gateway.owner("ada") as ada:
        job = submit(ada)
        complete(any_gateway.resources, {"audio.mp3": bytes(5000), "hls/master.m3u8": bytes(700)})
        with any_gateway.resources.database.read() as session:
            source = session.exec(select(Upload.size)).one()
            assert usage_of(session, "ada").output_bytes == 5700
        assert used(any_gateway, "ada") == source + 5700
        allow(any_gateway, "ada", storage_quota=source + 5700)
        refused = ada.post(JOBS, json={"source": {"url": "https://example.com/a.mp4"}})
        assert (refused.status_code, refused.json()["code"]) == (413, "storage_quota_exceeded")
        ada.delete(f"{JOBS}/{job}")
        assert used(any_gateway, "ada") == source


def test_only_so_many_jobs_may_be_unfinished(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        allow(any_gateway, "ada", jobs_quota=2)
        sources = [upload(ada) for _ in range(8)]
        with ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda source: ada.post(JOBS, json={"source": {"upload_id": source}}), sources))
        assert sorted(answer.status_code for answer in answers) == [201] * 2 + [429] * 6
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["code"] == "jobs_quota_exceeded"
        assert refused.json()["quota"] == {"limit": 2, "used": 2, "requested": 1}
        assert int(refused.headers["retry-after"]) > 0
        complete(any_gateway.resources)
        assert ada.post(JOBS, json={"source": {"upload_id": upload(ada)}}).status_code == 201


def test_a_retry_counts_as_one_more_unfinished_job(gateway: Gateway, ada: httpx.Client) -> None:
    failed = submit(ada, metadata={"first": True})
    gateway.resources.queue.fail(claim(gateway.resources), SourceUnreadable(), Spent())
    submit(ada)
    allow(gateway, "ada", jobs_quota=1)
    assert ada.post(f"{JOBS}/{failed}/retry").json()["code"] == "jobs_quota_exceeded"
    allow(gateway, "ada", jobs_quota=2)
    assert ada.post(f"{JOBS}/{failed}/retry").status_code == 200


def test_an_owners_own_source_size_counts_before_the_servers(gateway: Gateway, ada: httpx.Client) -> None:
    allow(gateway, "ada", max_source_bytes=1000)
    for announced in (True, False):
        answer = send(ada, 1001, announced=announced)
        assert (answer.status_code, answer.json()["code"]) == (413, "source_too_large")
    assert ada.post(f"{UPLOADS}/direct", json={"filename": "a.mp4", "size": 1001}).status_code == 413
    assert send(ada, 1000).status_code == 201


def test_a_source_object_above_the_owners_size_is_refused(gateway: Gateway, ada: httpx.Client) -> None:
    allow(gateway, "ada", max_source_bytes=10)
    gateway.resources.store.put("incoming/ada/a.mp4", BytesIO(bytes(11)), size=11, content_type="video/mp4")
    answer = ada.post(JOBS, json={"source": {"object_key": "incoming/ada/a.mp4"}})
    assert (answer.status_code, answer.json()["code"]) == (413, "source_too_large")


def test_a_jobs_tasks_know_the_owners_limits(gateway: Gateway, ada: httpx.Client) -> None:
    allow(gateway, "ada", max_source_duration_s=60.0, max_source_bytes=5000, storage_quota=QUOTA)
    ada.post(JOBS, json={"source": {"url": "https://example.com/a.mp4"}})
    fetch = claim(gateway.resources)
    assert fetch.params == {"max_source_bytes": 5000, "max_source_duration_s": 60.0, "storage_left": QUOTA}
