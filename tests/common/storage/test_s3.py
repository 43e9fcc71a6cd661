"""What only the S3 store must do: with a server that is down, refuses, or has no bucket yet."""

from __future__ import annotations

import io
import re
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from servers import S3

from mill_common.errors import SourceMissing, StorageUnavailable
from mill_common.settings import Settings
from mill_common.storage import ObjectStore, S3Store, UploadPart, open_store
from mill_common.storage.s3_client import S3Address

MIB = 2**20


def opened(url: str) -> ObjectStore:
    return open_store(Settings(storage_url=url))


def test_a_missing_bucket_is_made_at_the_first_use(s3: S3) -> None:
    url = s3.bucket_url("made-at-first-use")
    opened(url)
    assert not s3.client().bucket_exists("made-at-first-use")
    with pytest.raises(SourceMissing):
        opened(url).stat("key")
    assert s3.client().bucket_exists("made-at-first-use")
    assert opened(url).check() == {"kind": "s3", "endpoint": s3.endpoint, "bucket": "made-at-first-use"}


def test_a_bucket_that_goes_away_is_not_a_missing_object(s3: S3) -> None:
    store = opened(s3.bucket_url("goes-away"))
    store.check()
    s3.client().remove_bucket("goes-away")
    with pytest.raises(StorageUnavailable, match="NoSuchBucket"):
        store.put("key", io.BytesIO(b"1"), size=1, content_type="video/mp4")


def test_a_broken_stream_leaves_no_upload_behind(s3: S3, s3_url: str) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() >= 40 * MIB:
                raise RuntimeError("the client hung up")
            return super().read(size)

    with pytest.raises(RuntimeError, match="hung up"):
        opened(s3_url).put("key", Broken(bytes(48 * MIB)), size=None, content_type="video/mp4")
    assert open_uploads(s3, s3_url) == []
    opened(s3_url).start_multipart("other", content_type="video/mp4")
    assert open_uploads(s3, s3_url) == ["other"]


def open_uploads(s3: S3, url: str) -> list[str]:
    # The client has no public way to ask, and its private one reads the answer wrongly.
    answer = s3.client()._execute("GET", urlsplit(url).path.strip("/"), query_params={"uploads": ""})
    return re.findall("<Upload><Key>(.*?)</Key>", answer.data.decode())


def test_a_wrong_secret_is_said_without_being_told(s3: S3) -> None:
    store = opened(s3.bucket_url("refused", secret="wrong-secret"))
    with pytest.raises(StorageUnavailable, match="refuses our key") as raised:
        store.check()
    assert "wrong-secret" not in str(raised.value)


@pytest.fixture
def dead_url() -> Iterator[str]:
    """The address of a server that does not listen."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        yield f"s3://key:hidden@127.0.0.1:{silent.getsockname()[1]}/bucket?secure=false"


def test_a_dead_server_is_unavailable_to_every_use(dead_url: str, tmp_path: Path) -> None:
    store = opened(dead_url)
    (tmp_path / "local").touch()
    uses: dict[str, Callable[[], object]] = {
        "put": lambda: store.put("key", io.BytesIO(b"1"), size=1, content_type="video/mp4"),
        "put_file": lambda: store.put_file("key", tmp_path / "local", content_type="video/mp4"),
        "get": lambda: store.get("key"),
        "fetch": lambda: store.fetch("key", tmp_path / "copy"),
        "stat": lambda: store.stat("key"),
        "list": lambda: list(store.list("")),
        "delete": lambda: store.delete(["key"]),
        "start": lambda: store.start_multipart("key", content_type="video/mp4"),
        "complete": lambda: store.complete_multipart("key", "id", [UploadPart(1, "etag")]),
        "abort": lambda: store.abort_multipart("key", "id"),
        "check": store.check,
    }
    for use in uses.values():
        with pytest.raises(StorageUnavailable, match="NewConnectionError") as raised:
            use()
        assert "hidden" not in str(raised.value)
    assert not (tmp_path / "copy").exists()


class BrokenServer(BaseHTTPRequestHandler):
    """Promises a hundred bytes of every object and breaks off after ten."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"0123456789")

    def do_PUT(self) -> None:
        self.send_response(404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def broken_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), BrokenServer) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"s3://key:hidden@127.0.0.1:{server.server_port}/bucket?secure=false"
        server.shutdown()
        serving.join()


def test_a_transfer_that_breaks_off_is_unavailable(broken_url: str, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        list(opened(broken_url).get("key"))
    with pytest.raises(StorageUnavailable):
        opened(broken_url).fetch("key", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_is_not_of_s3_is_unavailable(broken_url: str) -> None:
    with pytest.raises(StorageUnavailable, match="not an S3 answer"):
        opened(broken_url).put("key", io.BytesIO(b"1"), size=1, content_type="video/mp4")


def test_links_lead_to_the_public_address() -> None:
    store = opened("s3://key:secret@storage:8333/bucket?secure=false&public=https://media.example")
    link = store.presign_get("a b", expires_s=60)
    assert link.startswith("https://media.example/bucket/a%20b?X-Amz-")
    assert "secret" not in link


def test_an_address_is_read_from_its_url() -> None:
    address = S3Address.parse("s3://a%3Ab:c%2Fd@host:9000/bucket?secure=false&region=eu-central-1")
    assert (address.endpoint, address.bucket, address.secure) == ("host:9000", "bucket", False)
    assert (address.access_key, address.secret_key, address.region) == ("a:b", "c/d", "eu-central-1")
    assert "c/d" not in repr(address)
    assert S3Address.parse("s3://key:hidden@host/bucket").secure


@pytest.mark.parametrize(
    "url",
    [
        "s3://host/bucket",
        "s3://key:hidden@host",
        "s3://key:hidden@host/bucket/folder",
        "s3://key:hidden@/bucket",
        "s3://key:hidden@host/bucket?secure=maybe",
        "s3://key:hidden@host/bucket?sceure=true",
        "ftp://key:hidden@host/bucket",
        "file://host/folder",
        "nonsense",
    ],
)
def test_an_address_that_cannot_be_is_refused_without_its_secret(url: str) -> None:
    with pytest.raises(ValueError, match="MILL_STORAGE_URL: expected") as raised:
        opened(url)
    assert "hidden" not in str(raised.value)


def test_the_scheme_chooses_the_store(tmp_path: Path) -> None:
    assert isinstance(opened("s3://key:secret@host/bucket"), S3Store)
    spaced = open_store(Settings(data_dir=tmp_path, storage_url=f"file://{tmp_path}/two%20words"))
    spaced.check()
    assert (tmp_path / "two words" / "keys").is_dir()
