from __future__ import annotations

import os
from typing import Any

import httpx
import pytest
from api.running import Gateway

from mill_api.uploads.direct import MAX_PARTS, PART_BYTES, WHOLE_BYTES, part_size
from mill_common.storage import S3Store

DIRECT = "/api/v1/uploads/direct"
UPLOADS = "/api/v1/uploads"


def announce(client: httpx.Client, size: int, **more: Any) -> dict[str, Any]:
    """A direct upload of that size, begun."""
    sent = client.post(DIRECT, json={"filename": "clip.mp4", "size": size, **more})
    assert sent.status_code == 201, sent.text
    view: dict[str, Any] = sent.json()
    return view


def put(gateway: Gateway, url: str, content: bytes) -> httpx.Response:
    """What a client without any key does with a signed URL."""
    return httpx.put(gateway.url + url if url.startswith("/") else url, content=content)


def test_one_put_and_its_completion_make_an_upload(any_gateway: Gateway) -> None:
    content = os.urandom(300_000)
    with any_gateway.owner("ada") as ada:
        begun = announce(ada, len(content), content_type="video/mp4")
        assert (begun["method"], begun["status"], begun["sha256"]) == ("put", "pending", None)
        assert put(any_gateway, begun["url"], content).status_code == 200
        done = ada.post(f"{UPLOADS}/{begun['id']}/complete")
        assert done.status_code == 200, done.text
        assert done.json()["status"] == "complete"
        again = ada.post(f"{UPLOADS}/{begun['id']}/complete", json={})
        assert again.json() == done.json() == ada.get(f"{UPLOADS}/{begun['id']}").json()
        job = ada.post("/api/v1/jobs", json={"source": {"upload_id": begun["id"]}})
    assert job.status_code == 201
    assert job.json()["source"]["size_bytes"] == len(content)
    assert b"".join(any_gateway.resources.store.get(f"uploads/{begun['id']}")) == content


def test_a_large_source_goes_up_in_parts(any_gateway: Gateway) -> None:
    content = os.urandom(WHOLE_BYTES + 1_000_000)
    with any_gateway.owner("ada") as ada:
        begun = announce(ada, len(content))
        assert begun["method"] == "multipart"
        size = begun["part_size"]
        assert [part["number"] for part in begun["parts"]] == [1, 2, 3, 4, 5]
        parts = []
        for part in begun["parts"]:
            start = (part["number"] - 1) * size
            sent = put(any_gateway, part["url"], content[start : start + size])
            assert sent.status_code == 200, sent.text
            parts.append({"number": part["number"], "etag": sent.headers["etag"]})
        wrong = [{**part, "etag": '"' + "0" * 32 + '"'} for part in parts]
        refused = ada.post(f"{UPLOADS}/{begun['id']}/complete", json={"parts": wrong})
        assert (refused.status_code, refused.json()["code"]) == (422, "upload_invalid")
        assert ada.post(f"{UPLOADS}/{begun['id']}/complete", json={"parts": parts[::-1]}).status_code == 422
        assert ada.post(f"{UPLOADS}/{begun['id']}/complete").json()["code"] == "upload_incomplete"
        done = ada.post(f"{UPLOADS}/{begun['id']}/complete", json={"parts": parts})
        assert done.status_code == 200, done.text
    assert any_gateway.resources.store.stat(f"uploads/{begun['id']}").size == len(content)


def test_nothing_in_storage_is_no_upload(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        begun = announce(ada, 10)
        answer = ada.post(f"{UPLOADS}/{begun['id']}/complete")
        assert (answer.status_code, answer.json()["code"]) == (409, "upload_incomplete")
        job = ada.post("/api/v1/jobs", json={"source": {"upload_id": begun["id"]}})
        assert (job.status_code, job.json()["code"]) == (422, "source_missing")


def test_another_size_than_announced_is_no_upload(gateway: Gateway, ada: httpx.Client) -> None:
    begun = announce(ada, 10)
    put(gateway, begun["url"], b"only 9 by")
    answer = ada.post(f"{UPLOADS}/{begun['id']}/complete")
    assert (answer.status_code, answer.json()["code"]) == (409, "upload_incomplete")
    put(gateway, begun["url"], b"all the 10")
    assert ada.post(f"{UPLOADS}/{begun['id']}/complete").status_code == 200


def test_a_source_above_the_limit_is_not_begun(gateway: Gateway, ada: httpx.Client) -> None:
    size = gateway.resources.settings.max_source_bytes + 1
    answer = ada.post(DIRECT, json={"filename": "huge.mp4", "size": size})
    assert (answer.status_code, answer.json()["code"]) == (413, "source_too_large")


def test_a_link_for_one_object_writes_no_other(gateway: Gateway, ada: httpx.Client) -> None:
    mine, other = announce(ada, 4), announce(ada, 4)
    stolen = mine["url"].replace(mine["id"], other["id"])
    answer = put(gateway, stolen, b"evil")
    assert (answer.status_code, answer.json()["code"]) == (403, "signature_invalid")
    reading = httpx.get(gateway.url + mine["url"])
    assert reading.status_code == 403, "a link to write does not let read"


def test_an_abandoned_upload_in_parts_can_be_deleted(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        begun = announce(ada, WHOLE_BYTES + 1)
        put(any_gateway, begun["parts"][0]["url"], bytes(PART_BYTES))
        assert ada.delete(f"{UPLOADS}/{begun['id']}").status_code == 204
        assert ada.get(f"{UPLOADS}/{begun['id']}").status_code == 404
    late = put(any_gateway, begun["parts"][1]["url"], b"x")
    if not isinstance(any_gateway.resources.store, S3Store):
        assert late.status_code == 422
    assert list(any_gateway.resources.store.list("uploads/")) == []


@pytest.mark.parametrize("size", [PART_BYTES + 1, MAX_PARTS * PART_BYTES, 50 * 2**30, 5 * 2**40])
def test_parts_are_never_too_many(size: int) -> None:
    each = part_size(size)
    assert each % 2**20 == 0
    assert each >= PART_BYTES
    assert -(-size // each) <= MAX_PARTS
