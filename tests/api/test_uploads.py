from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from api.running import Gateway, submit, upload
from sqlalchemy import text
from sqlmodel import select

from mill_api.uploads import body_stream
from mill_common.models import Upload
from mill_common.settings import Settings

UPLOADS = "/api/v1/uploads"
MP4 = {"Content-Type": "video/mp4"}
LIMIT = 3 * 2**20


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """Sources of at most 3 MiB."""
    return settings.model_copy(update={"max_source_bytes": LIMIT})


def stored(gateway: Gateway) -> list[str]:
    """The keys of every object in storage."""
    return [stat.key for stat in gateway.resources.store.list("uploads/")]


def rows(gateway: Gateway) -> int:
    """How many uploads the database knows."""
    with gateway.resources.database.read() as session:
        return len(session.exec(select(Upload)).all())


def until(holds: Callable[[], bool]) -> None:
    """Wait for a condition; the test's own time limit is the only one."""
    while not holds():
        time.sleep(0.01)


def pieces(content: bytes, size: int = 50_000) -> Iterator[bytes]:
    """The content in pieces, so that no length is announced."""
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.mark.parametrize("announced", [True, False])
def test_the_body_is_stored_as_it_came(any_gateway: Gateway, announced: bool) -> None:
    content = os.urandom(2_500_001)
    with any_gateway.owner("ada") as ada:
        body = content if announced else pieces(content)
        sent = ada.post(UPLOADS, params={"filename": "Größe ♥.mp4"}, content=body, headers=MP4)
        assert sent.status_code == 201, sent.text
        view = sent.json()
        assert ada.get(f"{UPLOADS}/{view['id']}").json() == view
    assert view["filename"] == "Größe ♥.mp4"
    assert view["size"] == len(content)
    assert view["sha256"] == hashlib.sha256(content).hexdigest()
    assert view["content_type"] == "video/mp4"
    assert view["status"] == "complete"
    (key,) = stored(any_gateway)
    assert b"".join(any_gateway.resources.store.get(key)) == content


def test_a_form_with_one_file_is_an_upload(any_gateway: Gateway) -> None:
    content = os.urandom(1_700_003) + b"\r\n--almost a boundary"
    with any_gateway.owner("ada") as ada:
        sent = ada.post(UPLOADS, files={"file": ("C:\\Filme\\Ünser Film.mov", content, "video/quicktime")})
    assert sent.status_code == 201, sent.text
    view = sent.json()
    assert (view["filename"], view["size"]) == ("Ünser Film.mov", len(content))
    assert view["content_type"] == "video/quicktime"
    assert view["sha256"] == hashlib.sha256(content).hexdigest()
    (key,) = stored(any_gateway)
    assert b"".join(any_gateway.resources.store.get(key)) == content


@pytest.mark.parametrize(
    "files",
    [
        [("other", ("a.mp4", b"x"))],
        [("file", ("a.mp4", b"x")), ("file", ("b.mp4", b"y"))],
        [("file", ("a.mp4", b"x")), ("more", (None, b"y"))],
        [("file", (None, b"no file name"))],
        [("file", ("empty.mp4", b""))],
    ],
    ids=["other field", "two files", "more fields", "no file", "empty file"],
)
def test_a_form_with_anything_else_is_refused(
    gateway: Gateway, ada: httpx.Client, files: list[tuple[str, tuple[str | None, bytes]]]
) -> None:
    answer = ada.post(UPLOADS, files=files)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert (stored(gateway), rows(gateway)) == ([], 0)


def test_a_form_that_ends_early_is_refused_and_leaves_nothing(gateway: Gateway, ada: httpx.Client) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = ada.post(UPLOADS, content=head + b"half of it", headers=headers)
    assert answer.status_code == 422
    assert (stored(gateway), rows(gateway)) == ([], 0)


@pytest.mark.parametrize("form", [True, False])
def test_a_client_that_leaves_mid_body_leaves_nothing(any_gateway: Gateway, form: bool) -> None:
    with any_gateway.owner("ada") as ada:
        key = ada.headers["X-API-Key"]
    kind = "multipart/form-data; boundary=b" if form else "video/mp4"
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n' if form else b""
    port = int(any_gateway.url.rsplit(":", 1)[1])
    fields = {"Host": "a", "X-API-Key": key, "Content-Type": kind, "Content-Length": "3000000"}
    lines = [f"POST {UPLOADS} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall("\r\n".join(lines).encode() + head + os.urandom(1_500_000))
    with any_gateway.owner("bob") as bob:
        upload(bob)  # the server goes on
    until(any_gateway.idle_uploads)
    assert len(stored(any_gateway)) == 1
    assert rows(any_gateway) == 1


def test_a_client_that_stops_sending_is_let_go(
    gateway: Gateway, ada: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(body_stream, "STALL_S", 0.2)
    port = int(gateway.url.rsplit(":", 1)[1])
    fields = {
        "Host": "a",
        "X-API-Key": ada.headers["X-API-Key"],
        "Content-Type": "video/mp4",
        "Content-Length": "99999",
    }
    lines = [f"POST {UPLOADS} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall("\r\n".join(lines).encode() + b"so much and no more")
        answer = connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert (stored(gateway), rows(gateway)) == ([], 0)


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("form", [True, False])
def test_a_source_above_the_limit_is_refused_and_leaves_nothing(
    gateway: Gateway, ada: httpx.Client, announced: bool, form: bool
) -> None:
    content = bytes(LIMIT + 70_000)
    if form:
        frame = (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n' + content + b"\r\n--b--\r\n"
        )
        headers, body = {"Content-Type": "multipart/form-data; boundary=b"}, frame
    else:
        headers, body = MP4, content
    answer = ada.post(UPLOADS, content=body if announced else pieces(body), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["code"] == "source_too_large"
    assert (stored(gateway), rows(gateway)) == ([], 0)


def test_a_source_of_exactly_the_limit_is_taken(ada: httpx.Client) -> None:
    sent = ada.post(UPLOADS, content=bytes(LIMIT), headers=MP4)
    assert sent.status_code == 201
    assert sent.json()["size"] == LIMIT


@pytest.mark.parametrize("announced", [True, False])
def test_an_empty_body_is_refused(gateway: Gateway, ada: httpx.Client, announced: bool) -> None:
    answer = ada.post(UPLOADS, content=b"" if announced else pieces(b""), headers=MP4)
    assert answer.status_code == 422
    assert (stored(gateway), rows(gateway)) == ([], 0)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "video/mp4", "Content-Encoding": "gzip"},
    ],
)
def test_a_body_that_is_no_source_is_refused(ada: httpx.Client, headers: dict[str, str]) -> None:
    answer = ada.post(UPLOADS, content=b"{}", headers=headers)
    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media_type"


@pytest.mark.parametrize("filename", ["", "a/b.mp4", "a\\b.mp4", "a\nb.mp4", "x" * 256])
def test_a_file_name_that_is_none_is_refused(ada: httpx.Client, filename: str) -> None:
    answer = ada.post(UPLOADS, params={"filename": filename}, content=b"x", headers=MP4)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["loc"] == ["query", "filename"]


def test_another_owner_learns_nothing_of_an_upload(gateway: Gateway, ada: httpx.Client, bob: httpx.Client) -> None:
    mine = upload(ada)
    unknown = "0198c0de-0000-7000-8000-000000000000"
    for method in ("GET", "DELETE"):
        theirs, nobodys = (bob.request(method, f"{UPLOADS}/{id_}") for id_ in (mine, unknown))
        assert theirs.status_code == nobodys.status_code == 404
        assert theirs.json() | {"instance": ""} == nobodys.json() | {"instance": ""}
    assert bob.post(f"{UPLOADS}/{mine}/complete").status_code == 404
    assert ada.get(f"{UPLOADS}/{mine}").status_code == 200
    assert len(stored(gateway)) == 1


def test_a_deleted_upload_is_gone_from_storage_too(any_gateway: Gateway) -> None:
    with any_gateway.owner("ada") as ada:
        mine = upload(ada)
        assert ada.delete(f"{UPLOADS}/{mine}").status_code == 204
        assert ada.get(f"{UPLOADS}/{mine}").status_code == 404
    assert stored(any_gateway) == []


def test_an_upload_that_a_job_uses_stays(gateway: Gateway, ada: httpx.Client) -> None:
    submit(ada)
    with gateway.resources.database.read() as session:
        mine = session.exec(select(Upload.id)).one()
    answer = ada.delete(f"{UPLOADS}/{mine}")
    assert answer.status_code == 409
    assert answer.json()["code"] == "upload_in_use"
    assert len(stored(gateway)) == 1


def test_storage_that_fails_is_a_503_and_leaves_no_row(tmp_path: Path, gateway: Gateway, ada: httpx.Client) -> None:
    objects = tmp_path / "objects"
    moved = objects.rename(tmp_path / "elsewhere")
    objects.write_bytes(b"a file where the folder was")
    answer = ada.post(UPLOADS, content=b"x", headers=MP4)
    objects.unlink()
    moved.rename(objects)
    assert answer.status_code == 503
    assert answer.json()["code"] == "storage_unavailable"
    assert rows(gateway) == 0


def test_a_database_that_fails_leaves_no_object(gateway: Gateway, ada: httpx.Client) -> None:
    with gateway.resources.database.write() as session:
        session.execute(text("ALTER TABLE upload RENAME TO elsewhere"))
    assert ada.post(UPLOADS, content=b"x", headers=MP4).status_code == 500
    assert stored(gateway) == []
