"""Resumable uploads by tus 1.0.0. J15, Q7: what arrives is an upload like any other."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from api.running import Gateway, upload
from sqlmodel import select
from waiting import wait_for

from mill_api.uploads import resumable
from mill_api.uploads.receiving import size_of_parts
from mill_common.clock import db_now
from mill_common.models import Owner, ReceivedPart, ResumableUpload, Upload
from mill_common.storage.base import PART_MIN

TUS = "/api/v1/uploads/tus"
VERSION = {"Tus-Resumable": "1.0.0"}
CHUNK = {"Content-Type": "application/offset+octet-stream"}


def base64_of(value: str | bytes) -> str:
    """Base64 of a text or of bytes."""
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def begin(client: httpx.Client, length: int, **more: str) -> str:
    """A new upload; where to go on with it."""
    metadata = f"filename {base64_of('Größe ♥.mp4')},filetype {base64_of('video/mp4')},is_draft"
    headers = {**VERSION, "Upload-Length": str(length), "Upload-Metadata": metadata, **more}
    answer = client.post(TUS, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def send(client: httpx.Client, at: str, offset: int, content: bytes | Iterator[bytes], **more: str) -> httpx.Response:
    """Go on with an upload."""
    headers = {**VERSION, **CHUNK, "Upload-Offset": str(offset), **more}
    return client.patch(at, content=content, headers=headers)


def offset_of(client: httpx.Client, at: str) -> int:
    """How far an upload is."""
    answer = client.head(at, headers=VERSION)
    assert answer.status_code == 200
    return int(answer.headers["upload-offset"])


def view_of(client: httpx.Client, at: str) -> dict[str, object]:
    """The upload as any other."""
    view: dict[str, object] = client.get(f"/api/v1/uploads/{at.rpartition('/')[2]}").json()
    return view


def stored(gateway: Gateway) -> list[str]:
    """Every object in storage."""
    return [stat.key for stat in gateway.resources.store.list("")]


def test_a_client_learns_what_the_server_speaks(gateway: Gateway) -> None:
    with gateway.client() as stranger:
        for path in (TUS, f"{TUS}/0198c0de-0000-7000-8000-000000000000"):
            answer = stranger.options(path)
            assert answer.status_code == 204
            assert answer.headers["tus-version"] == "1.0.0"
            assert set(answer.headers["tus-extension"].split(",")) >= {
                "creation", "creation-with-upload", "checksum", "expiration", "termination",
            }  # fmt: skip
            assert answer.headers["tus-max-size"] == str(gateway.resources.settings.max_source_bytes)
            assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")


@pytest.mark.parametrize("size", [1, PART_MIN - 1, PART_MIN, PART_MIN + 1, 3 * PART_MIN + 777])
@pytest.mark.parametrize("pieces", [1, 3])
def test_what_arrives_in_pieces_is_the_whole_file(any_gateway: Gateway, size: int, pieces: int) -> None:
    content = os.urandom(size)
    each = -(-size // pieces)
    with any_gateway.owner("ada") as ada:
        at = begin(ada, size)
        for start in range(0, size, each):
            assert offset_of(ada, at) == start
            answer = send(ada, at, start, content[start : start + each])
            assert (answer.status_code, answer.headers["upload-offset"]) == (204, str(min(size, start + each)))
            assert answer.headers["tus-resumable"] == "1.0.0"
        view = view_of(ada, at)
        job = ada.post("/api/v1/jobs", json={"source": {"upload_id": view["id"]}})
    assert (view["status"], view["size"], view["filename"]) == ("complete", size, "Größe ♥.mp4")
    assert (view["content_type"], view["sha256"]) == ("video/mp4", hashlib.sha256(content).hexdigest())
    assert job.status_code == 201
    assert stored(any_gateway) == [f"uploads/{view['id']}"]
    assert b"".join(any_gateway.resources.store.get(f"uploads/{view['id']}")) == content


def test_the_checksum_is_found_though_another_process_took_the_beginning(any_gateway: Gateway) -> None:
    content = os.urandom(PART_MIN + 1000)
    with any_gateway.owner("ada") as ada:
        at = begin(ada, len(content))
        send(ada, at, 0, content[:2000])
        any_gateway.app.state.digests._known.clear()
        send(ada, at, 2000, content[2000:])
        assert view_of(ada, at)["sha256"] == hashlib.sha256(content).hexdigest()


def test_an_upload_may_begin_with_its_first_bytes(gateway: Gateway, ada: httpx.Client) -> None:
    answer = ada.post(TUS, content=b"first", headers={**VERSION, **CHUNK, "Upload-Length": "11"})
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "5")
    assert send(ada, answer.headers["location"], 5, b" later").status_code == 204
    assert view_of(ada, answer.headers["location"])["sha256"] == hashlib.sha256(b"first later").hexdigest()


def test_a_look_gives_back_what_the_client_said(ada: httpx.Client) -> None:
    answer = ada.head(begin(ada, 10), headers=VERSION)
    assert answer.headers["upload-length"] == "10"
    assert answer.headers["upload-metadata"].endswith(",is_draft")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["upload-expires"].endswith(" GMT")
    assert answer.content == b""


def test_another_offset_is_a_conflict_and_keeps_nothing(ada: httpx.Client) -> None:
    at = begin(ada, 10)
    send(ada, at, 0, b"12345")
    for offset in (0, 4, 6):
        answer = send(ada, at, offset, b"67")
        assert (answer.status_code, answer.json()["code"]) == (409, "offset_mismatch")
        assert answer.headers["upload-offset"] == "5"
    assert offset_of(ada, at) == 5


@pytest.mark.parametrize("version", [{}, {"Tus-Resumable": "0.2.2"}])
def test_another_version_is_refused(ada: httpx.Client, version: dict[str, str]) -> None:
    at = begin(ada, 10)
    answers = [
        ada.post(TUS, headers={**version, "Upload-Length": "1"}),
        ada.head(at, headers=version),
        ada.patch(at, content=b"1", headers={**CHUNK, **version, "Upload-Offset": "0"}),
        ada.delete(at, headers=version),
    ]
    for answer in answers:
        assert (answer.status_code, answer.headers["tus-version"]) == (412, "1.0.0")
        assert answer.headers["tus-resumable"] == "1.0.0"
    assert offset_of(ada, at) == 0


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha512"])
def test_bytes_that_do_not_match_their_checksum_are_not_kept(any_gateway: Gateway, algorithm: str) -> None:
    content = os.urandom(2 * PART_MIN + 5)
    right = base64_of(hashlib.new(algorithm, content[100:]).digest())
    with any_gateway.owner("ada") as ada:
        at = begin(ada, len(content))
        send(ada, at, 0, content[:100])
        broken = content[100:-1] + bytes([content[-1] ^ 1])
        answer = send(ada, at, 100, broken, **{"Upload-Checksum": f"{algorithm} {right}"})
        assert (answer.status_code, answer.json()["code"]) == (460, "checksum_mismatch")
        assert offset_of(ada, at) == 100
        assert send(ada, at, 100, content[100:], **{"Upload-Checksum": f"{algorithm} {right}"}).status_code == 204
        assert view_of(ada, at)["sha256"] == hashlib.sha256(content).hexdigest()
    assert b"".join(any_gateway.resources.store.get(f"uploads/{at.rpartition('/')[2]}")) == content


@pytest.mark.parametrize("checksum", ["crc32 AAAA", "sha1", "sha1 no*base64"])
def test_a_checksum_that_cannot_be_checked_is_refused(ada: httpx.Client, checksum: str) -> None:
    at = begin(ada, 10)
    answer = send(ada, at, 0, b"1", **{"Upload-Checksum": checksum})
    assert (answer.status_code, answer.json()["code"]) == (400, "checksum_unsupported")
    assert offset_of(ada, at) == 0


@pytest.mark.parametrize("announced", [True, False])
def test_more_than_was_announced_is_refused(ada: httpx.Client, announced: bool) -> None:
    at = begin(ada, 10)
    body: bytes | Iterator[bytes] = b"x" * 11 if announced else iter([b"x" * 6, b"x" * 5])
    assert send(ada, at, 0, body).status_code == 413
    assert offset_of(ada, at) == 0


def test_a_beginning_that_is_longer_than_the_whole_begins_nothing(gateway: Gateway, ada: httpx.Client) -> None:
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": "3", "Content-Type": "application/offset+octet-stream"}
    answer = ada.post("/api/v1/uploads/tus", headers=headers, content=b"12345")
    assert (answer.status_code, answer.json()["code"]) == (413, "source_too_large")
    with gateway.resources.database.read() as session:
        assert session.exec(select(Upload)).all() == []


def test_what_a_client_sent_before_it_left_is_kept(any_gateway: Gateway) -> None:
    content = os.urandom(PART_MIN + 300_000)
    with any_gateway.owner("ada") as ada:
        at = begin(ada, 2 * len(content))
        with slow(any_gateway, ada, at, 0, 2 * len(content)) as connection:
            connection.sendall(content)
        wait_for(lambda: offset_of(ada, at) == len(content))
        assert send(ada, at, len(content), content).status_code == 204
    assert b"".join(any_gateway.resources.store.get(f"uploads/{at.rpartition('/')[2]}")) == content * 2


def test_two_requests_cannot_write_at_once(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        at = begin(ada, 10)
        with slow(any_gateway, ada, at, 0, 10) as connection:
            connection.sendall(b"12345")
            wait_for(lambda: held(any_gateway))
            answer = send(ada, at, 0, b"12345")
            assert (answer.status_code, answer.json()["code"]) == (423, "upload_locked")
            assert answer.headers["retry-after"]
        wait_for(lambda: offset_of(ada, at) == 5)
        wait_for(lambda: send(ada, at, 5, b"67890").status_code == 204)
        assert view_of(ada, at)["sha256"] == hashlib.sha256(b"1234567890").hexdigest()


def test_many_requests_for_the_same_bytes_write_them_once(any_gateway: Gateway) -> None:
    content = os.urandom(PART_MIN + 99)
    statuses: list[int] = []
    with any_gateway.owner("ada") as ada:
        at = begin(ada, len(content))
        threads = [
            threading.Thread(target=lambda: statuses.append(send(ada, at, 0, content).status_code)) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(statuses)[0] == 204
    assert set(statuses[1:] + statuses[:1]) <= {204, 409, 423}
    assert statuses.count(204) == 1
    assert b"".join(any_gateway.resources.store.get(f"uploads/{at.rpartition('/')[2]}")) == content


def test_a_request_whose_hold_was_taken_writes_nothing(
    gateway: Gateway, ada: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hold of a process that was stopped and comes back is another's by then."""
    monkeypatch.setattr(resumable, "BEAT_S", 3600)
    at = begin(ada, 10)
    with slow(gateway, ada, at, 0, 10) as connection:
        connection.sendall(b"AAAAA")
        wait_for(lambda: held(gateway))
        with gateway.resources.database.write() as session:
            session.exec(select(ResumableUpload)).one().held_until = session.scalar(select(db_now(-1)))
        assert send(ada, at, 0, b"1234567").status_code == 204
        connection.sendall(b"AAAAA")
        assert b" 423 " in connection.recv(65536).split(b"\r\n")[0]
    assert send(ada, at, 7, b"890").status_code == 204
    assert view_of(ada, at)["sha256"] == hashlib.sha256(b"1234567890").hexdigest()
    assert stored(gateway) == [f"uploads/{at.rpartition('/')[2]}"]


def test_an_upload_whose_last_request_died_is_completed_at_a_look(any_gateway: Gateway) -> None:
    content = os.urandom(PART_MIN + 5)
    with any_gateway.owner("ada") as ada:
        at = begin(ada, len(content))
        id_ = at.rpartition("/")[2]
        store = any_gateway.resources.store
        with any_gateway.resources.database.write() as session:
            row = session.exec(select(Upload)).one()
            for number, data in ((3, content[:PART_MIN]), (7, content[PART_MIN:])):
                part = store.store_part(row.object_key, row.multipart_id or "", number, data)
                session.add(ReceivedPart(upload_id=row.id, number=number, etag=part.etag, size=len(data)))
            session.exec(select(ResumableUpload)).one().received = len(content)
        assert offset_of(ada, at) == len(content)
        assert view_of(ada, at)["sha256"] == hashlib.sha256(content).hexdigest()
    assert b"".join(store.get(f"uploads/{id_}")) == content


def test_a_removed_upload_leaves_nothing(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        at = begin(ada, 3 * PART_MIN)
        send(ada, at, 0, os.urandom(PART_MIN + 9))
        assert ada.post(at, headers={**VERSION, "X-HTTP-Method-Override": "DELETE"}).status_code == 204
        assert ada.head(at, headers=VERSION).status_code == 404
        assert send(ada, at, PART_MIN + 9, b"x").status_code == 404
    assert stored(any_gateway) == []


def test_an_expired_upload_cannot_be_gone_on_with(gateway: Gateway, ada: httpx.Client) -> None:
    at = begin(ada, 10)
    with gateway.resources.database.write() as session:
        row = session.exec(select(Upload)).one()
        row.expires_at = row.created_at - timedelta(days=1)
    assert ada.head(at, headers=VERSION).status_code == 404
    assert send(ada, at, 0, b"1").status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 422),
        ({"Upload-Length": "-1"}, 422),
        ({"Upload-Length": "0"}, 422),
        ({"Upload-Length": "ten"}, 422),
        ({"Upload-Length": str(2**50)}, 413),
        ({"Upload-Length": "10", "Upload-Metadata": "filename not*base64"}, 422),
    ],
)
def test_a_creation_that_makes_no_sense_is_refused(
    gateway: Gateway, ada: httpx.Client, headers: dict[str, str], status: int
) -> None:
    answer = ada.post(TUS, headers={**VERSION, **headers})
    assert answer.status_code == status
    assert answer.headers["tus-resumable"] == "1.0.0"
    with gateway.resources.database.read() as session:
        assert session.exec(select(Upload)).all() == []


def test_another_body_type_is_refused(ada: httpx.Client) -> None:
    assert send(ada, begin(ada, 10), 0, b"1", **{"Content-Type": "video/mp4"}).status_code == 415


def test_another_owner_learns_nothing(ada: httpx.Client, bob: httpx.Client) -> None:
    at = begin(ada, 10)
    assert bob.head(at, headers=VERSION).status_code == 404
    assert send(bob, at, 0, b"x").status_code == 404
    assert bob.delete(at, headers=VERSION).status_code == 404
    assert offset_of(ada, at) == 0
    ordinary = upload(ada)
    assert ada.head(f"{TUS}/{ordinary}", headers=VERSION).status_code == 404


def test_an_announced_upload_takes_its_room(gateway: Gateway, ada: httpx.Client) -> None:
    """J16."""
    with gateway.resources.database.write() as session:
        session.get_one(Owner, "ada").storage_quota = 1000
    begin(ada, 600)
    answer = ada.post(TUS, headers={**VERSION, "Upload-Length": "401"})
    assert (answer.status_code, answer.json()["code"]) == (413, "storage_quota_exceeded")
    begin(ada, 400)


@pytest.mark.parametrize("size", [1, 40 * 2**30, 50 * 2**30, 5 * 2**40])
def test_parts_are_never_too_many(size: int) -> None:
    assert size_of_parts(size) >= PART_MIN
    assert size / size_of_parts(size) <= 8000


def held(gateway: Gateway) -> bool:
    """Whether a request holds the only upload."""
    with gateway.resources.database.read() as session:
        return session.exec(select(ResumableUpload)).one().holder is not None


def slow(gateway: Gateway, client: httpx.Client, at: str, offset: int, length: int) -> socket.socket:
    """A connection on which a PATCH has begun; its body is up to the test."""
    fields = {
        **VERSION,
        **CHUNK,
        "Host": "a",
        "X-API-Key": client.headers["X-API-Key"],
        "Upload-Offset": str(offset),
        "Content-Length": str(length),
    }
    lines = [f"PATCH {at} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    connection = socket.create_connection(("127.0.0.1", int(gateway.url.rsplit(":", 1)[1])))
    connection.sendall("\r\n".join(lines).encode())
    return connection
