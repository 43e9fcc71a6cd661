from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from typing import Any

import httpx
import pytest
from api.running import Gateway, claim, complete, submit, upload
from sqlmodel import select

from mill_common.models import Job, Task
from mill_common.queue import TRANSCODE
from mill_common.states import TaskStatus

JOBS = "/api/v1/jobs"
UNKNOWN = "0198c0de-0000-7000-8000-000000000000"


def jobs(gateway: Gateway) -> int:
    """How many jobs the database knows."""
    with gateway.resources.database.read() as session:
        return len(session.exec(select(Job)).all())


def test_a_job_is_accepted_with_its_first_task(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        source = upload(ada, filename="Ferien.mp4")
        body = {
            "source": {"upload_id": source},
            "spec": {"renditions": [240], "hls": False},
            "priority": 8,
            "metadata": {"album": "Süden", "take": 3, "good": True, "note": None, "gain": 0.5},
        }
        sent = ada.post(JOBS, json=body)
        assert sent.status_code == 201, sent.text
        view = sent.json()
        assert sent.headers["location"] == f"{JOBS}/{view['job_id']}"
        assert ada.get(sent.headers["location"]).json() == view
    assert (view["status"], view["priority"], view["already_existed"]) == ("queued", 8, False)
    assert view["user_metadata"] == body["metadata"]
    assert view["spec"]["renditions"] == [240]
    assert view["source"]["filename"] == "Ferien.mp4"
    assert view["outputs"]["renditions"]["240p"] == {
        **dict.fromkeys(RENDITION),
        "available": False,
        "reason": "pending",
        "status": "pending",
    }
    assert view["outputs"]["hls"]["reason"] == "not_requested"
    claimed = claim(any_gateway.resources)
    assert (claimed.kind, str(claimed.job.id)) == ("probe", view["job_id"])


RENDITION = ("width", "height", "size_bytes", "compression_ratio", "sha256", "download_url", "url", "expires_at")


def test_accepting_a_job_wakes_a_worker(gateway: Gateway, ada: httpx.Client) -> None:
    submit(ada)
    waiting = gateway.resources.broker.consume(TRANSCODE, prefetch=1, timeout=20_000)
    message = next(waiting)
    assert message is not None
    assert message.queue_name == TRANSCODE
    waiting.ack(message)
    waiting.close()


def test_a_url_is_fetched_first(gateway: Gateway, ada: httpx.Client) -> None:
    url = "https://example.org/films/Ein%20Film.mp4?token=abc"
    sent = ada.post(JOBS, json={"source": {"url": url}})
    assert sent.status_code == 201, sent.text
    assert sent.json()["source"]["url"] == url
    assert sent.json()["source"]["filename"] == "Ein Film.mp4"
    with gateway.resources.database.read() as session:
        tasks = {task.name: task.status for task in session.exec(select(Task)).all()}
    assert tasks == {"fetch": TaskStatus.QUEUED, "probe": TaskStatus.BLOCKED}


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a.mp4",
        "file:///etc/passwd",
        "https://user:secret@example.org/a.mp4",
        "https://user@example.org/a.mp4",
        "https:///a.mp4",
        "https://example.org:99999/a.mp4",
        "https://example.org/a b.mp4",
        "https://[::1/a.mp4",
        "https://exämple.org/a.mp4",
        "/a.mp4",
        "https://example.org/" + "a" * 2048,
    ],
)
def test_a_url_that_must_not_be_fetched_is_refused(gateway: Gateway, ada: httpx.Client, url: str) -> None:
    answer = ada.post(JOBS, json={"source": {"url": url}})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["body", "source", "url"]
    assert jobs(gateway) == 0


def test_an_owner_names_objects_of_their_own_folder_alone(any_gateway: Gateway) -> None:
    store = any_gateway.resources.store
    for key in ("incoming/ada/clip.mp4", "incoming/bob/clip.mp4", "incoming/adam/clip.mp4"):
        store.put(key, BytesIO(b"film"), size=4, content_type="video/mp4")
    with any_gateway.owner("ada") as ada:
        own = ada.post(JOBS, json={"source": {"object_key": "incoming/ada/clip.mp4"}})
        assert own.status_code == 201, own.text
        assert (own.json()["source"]["filename"], own.json()["source"]["size_bytes"]) == ("clip.mp4", 4)
        missing = ada.post(JOBS, json={"source": {"object_key": "incoming/ada/none.mp4"}})
        assert (missing.status_code, missing.json()["code"]) == (422, "source_missing")
        for key in ("incoming/bob/clip.mp4", "incoming/bob/none.mp4", "incoming/adam/clip.mp4", "uploads/1"):
            foreign = ada.post(JOBS, json={"source": {"object_key": key}})
            assert (foreign.status_code, foreign.json()["code"]) == (403, "forbidden")
        sneaky = ada.post(JOBS, json={"source": {"object_key": "incoming/ada/../bob/clip.mp4"}})
        assert sneaky.status_code == 422
    assert any_gateway.admin.post(JOBS, json={"source": {"object_key": "incoming/bob/clip.mp4"}}).status_code == 201


def test_another_owners_upload_is_as_good_as_none(ada: httpx.Client, bob: httpx.Client) -> None:
    theirs, nobodys = (
        bob.post(JOBS, json={"source": {"upload_id": upload_id}}) for upload_id in (upload(ada), UNKNOWN)
    )
    assert theirs.status_code == nobodys.status_code == 422
    assert theirs.json() == nobodys.json()
    assert theirs.json()["code"] == "source_missing"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"source": {}},
        {"source": {"url": None}},
        {"source": {"url": "https://a.example/b", "object_key": "incoming/ada/c"}},
        {"source": {"url": "https://a.example/b"}, "priority": 10},
        {"source": {"url": "https://a.example/b"}, "priority": "5"},
        {"source": {"url": "https://a.example/b"}, "spec": {"renditions": [100]}},
        {"source": {"url": "https://a.example/b"}, "spec": {"colour": "blue"}},
        {"source": {"url": "https://a.example/b"}, "metadata": {"deep": {"er": 1}}},
        {"source": {"url": "https://a.example/b"}, "metadata": {"nul": "a\0b"}},
        {"source": {"url": "https://a.example/b"}, "metadata": {str(n): n for n in range(51)}},
        {"source": {"url": "https://a.example/b"}, "unknown": 1},
        [],
        "text",
        float("nan"),
    ],
)
def test_a_body_that_is_no_job_is_refused(gateway: Gateway, ada: httpx.Client, body: Any) -> None:
    answer = ada.post(JOBS, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert answer.json()["errors"]
    assert jobs(gateway) == 0


def test_the_same_request_twice_is_one_job(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        body = {"source": {"upload_id": upload(ada)}, "priority": 3}
        headers = {"Idempotency-Key": "order-66"}
        first = ada.post(JOBS, json=body, headers=headers)
        second = ada.post(JOBS, json={**body, "metadata": {}}, headers=headers)
        assert (first.status_code, second.status_code) == (201, 200)
        assert second.json() == first.json() | {"already_existed": True}
        assert second.headers["location"] == first.headers["location"]
        other = ada.post(JOBS, json=body | {"priority": 4}, headers=headers)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
        with any_gateway.owner("bob") as bob:
            theirs = bob.post(JOBS, json={"source": {"upload_id": upload(bob)}, "priority": 3}, headers=headers)
        assert theirs.status_code == 201
    assert jobs(any_gateway) == 2


def test_the_same_bytes_uploaded_again_are_the_same_request(gateway: Gateway, ada: httpx.Client) -> None:
    headers = {"Idempotency-Key": "order-66"}
    first = ada.post(JOBS, json={"source": {"upload_id": upload(ada, b"the same bytes")}}, headers=headers)
    again = ada.post(JOBS, json={"source": {"upload_id": upload(ada, b"the same bytes")}}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["job_id"] == first.json()["job_id"]
    other = ada.post(JOBS, json={"source": {"upload_id": upload(ada, b"other bytes")}}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")


def test_the_same_request_at_the_same_time_is_one_job(any_gateway: Gateway) -> None:
    clients = 8
    with any_gateway.owner("ada") as ada:
        key, body = ada.headers["X-API-Key"], {"source": {"upload_id": upload(ada)}}
    together = threading.Barrier(clients)

    def send(_: int) -> httpx.Response:
        with any_gateway.client(key) as client:
            client.get("/health")
            together.wait()
            return client.post(JOBS, json=body, headers={"Idempotency-Key": "race"})

    with ThreadPoolExecutor(clients) as pool:
        answers = list(pool.map(send, range(clients)))
    assert sorted(answer.status_code for answer in answers) == [200] * (clients - 1) + [201]
    assert len({answer.json()["job_id"] for answer in answers}) == 1
    assert jobs(any_gateway) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "ключ".encode()])
def test_an_idempotency_key_that_is_none_is_refused(gateway: Gateway, ada: httpx.Client, key: str | bytes) -> None:
    body = {"source": {"url": "https://a.example/b"}}
    raw = key if isinstance(key, bytes) else key.encode()
    answer = ada.post(JOBS, json=body, headers=[(b"Idempotency-Key", raw)])
    assert answer.status_code == 422
    assert jobs(gateway) == 0


OPERATIONS = [
    *(("GET", path, None) for path in ("", "/outputs", "/download/360p", "/attempts", "/logs")),
    *(("POST", path, None) for path in ("/cancel", "/retry")),
    ("PATCH", "", {"priority": 9}),
    ("PATCH", "", {"metadata": {"taken": True}, "collection": "Mine"}),
    ("DELETE", "", None),
]


def test_another_owner_learns_nothing_of_a_job(gateway: Gateway, ada: httpx.Client, bob: httpx.Client) -> None:
    mine = submit(ada, filename="secret.mp4", metadata={"film": "secret"})
    complete(gateway.resources, {"360p.mp4": b"film"})
    before = ada.get(f"{JOBS}/{mine}").json()
    for method, path, body in OPERATIONS:
        theirs, nobodys = (bob.request(method, f"{JOBS}/{job_id}{path}", json=body) for job_id in (mine, UNKNOWN))
        assert theirs.status_code == nobodys.status_code == 404, (method, path)
        assert theirs.json() | {"instance": ""} == nobodys.json() | {"instance": ""}
    assert bob.get(JOBS, params={"metadata": "film", "search": "secret"}).json()["total"] == 0
    assert bob.get(f"{JOBS}/stats").json()["total_jobs"] == 0
    assert bob.get(f"{JOBS}/export", params={"format": "json"}).json() == []
    assert bob.post(f"{JOBS}/batch-status", json={"job_ids": [mine]}).json()["not_found"] == [mine]
    assert gateway.admin.get(f"{JOBS}/{mine}").status_code == 404, "administrators have jobs of their own"
    after = ada.get(f"{JOBS}/{mine}").json()
    assert [after[name] for name in UNTOUCHED] == [before[name] for name in UNTOUCHED]


UNTOUCHED = ("status", "priority", "updated_at", "collection", "user_metadata")
