from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from io import BufferedIOBase
from pathlib import Path

import pytest
from client.scripted import Reply, ScriptedServer, Seen, job_view

from mill_client import Client, Invalid, JobSpec, TranscriptSpec, TransferFailed

UPLOADS = "/api/v1/uploads"


def taken(seen: Seen) -> Reply:
    """What a server answers that took an upload."""
    digest = hashlib.sha256(seen.body).hexdigest()
    size = len(seen.body)
    upload = {"id": "u1", "filename": seen.query["filename"], "size": size, "sha256": digest, "status": "complete"}
    return Reply.of(upload, 201)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "ein Film & mehr.mp4"
    path.write_bytes(os.urandom(700_001))
    return path


def test_a_file_arrives_whole_under_its_name(server: ScriptedServer, client: Client, clip: Path) -> None:
    server.on("POST", UPLOADS, taken)
    upload = client.uploads.send(clip)
    seen = server.seen[0]
    assert (seen.body, upload.filename) == (clip.read_bytes(), clip.name)
    assert seen.headers["Content-Length"] == "700001"
    assert seen.headers["Content-Type"] == "application/octet-stream"
    assert "Transfer-Encoding" not in seen.headers


def test_progress_rises_to_the_size_of_the_file(server: ScriptedServer, client: Client, clip: Path) -> None:
    server.on("POST", UPLOADS, taken)
    told: list[tuple[int, int]] = []
    client.uploads.send(clip, on_bytes=lambda sent, total: told.append((sent, total)))
    sent = [bytes_sent for bytes_sent, _ in told]
    assert sent == sorted(set(sent))
    assert told[-1] == (700_001, 700_001)
    assert len(told) > 2


def test_an_empty_file_can_be_sent(server: ScriptedServer, client: Client, tmp_path: Path) -> None:
    server.on("POST", UPLOADS, taken)
    (tmp_path / "empty.mp4").touch()
    assert client.uploads.send(tmp_path / "empty.mp4").size == 0


def test_the_whole_file_is_sent_again_when_the_server_was_busy(
    server: ScriptedServer, client: Client, clip: Path
) -> None:
    server.on("POST", UPLOADS, Reply(503), taken)
    client.uploads.send(clip)
    assert [seen.body for seen in server.seen] == [clip.read_bytes()] * 2


def test_other_bytes_at_the_server_are_noticed(server: ScriptedServer, client: Client, clip: Path) -> None:
    other = {"id": "u1", "filename": "x", "size": 700_001, "sha256": "0" * 64, "status": "complete"}
    server.on("POST", UPLOADS, Reply.of(other, 201))
    with pytest.raises(TransferFailed, match="other bytes"):
        client.uploads.send(clip)


def test_a_file_that_shrinks_meanwhile_is_noticed(server: ScriptedServer, client: Client, clip: Path) -> None:
    server.on("POST", UPLOADS, taken)
    with pytest.raises(TransferFailed, match="shorter"):
        client.uploads.send(clip, on_bytes=lambda _sent, _total: os.truncate(clip, 10))


@pytest.mark.parametrize("name", ["nothing.mp4", "."])
def test_what_is_no_file_is_not_sent(server: ScriptedServer, client: Client, tmp_path: Path, name: str) -> None:
    with pytest.raises((OSError, ValueError), match=r"nothing\.mp4|not a file"):
        client.uploads.send(tmp_path / name)
    assert server.seen == []


def test_a_refusal_says_why(server: ScriptedServer, client: Client, clip: Path) -> None:
    server.on("POST", UPLOADS, Reply.problem(413, "source_too_large", "At most 1 KiB."))
    with pytest.raises(Invalid, match="At most 1 KiB"):
        client.uploads.send(clip)


def test_a_submitted_file_becomes_a_job_of_its_upload(server: ScriptedServer, client: Client, clip: Path) -> None:
    server.on("POST", UPLOADS, taken)
    server.on("POST", "/api/v1/jobs", Reply.of(job_view("queued"), 201))
    spec = JobSpec(renditions=[360], transcript=TranscriptSpec(language="en"))
    client.submit(clip, spec=spec, priority=9, metadata={"course": "7"}, idempotency_key="k1")
    seen = server.calls("POST", "/api/v1/jobs")[0]
    assert seen.json == {
        "source": {"upload_id": "u1"},
        "spec": {"renditions": [360], "transcript": {"language": "en"}},
        "priority": 9,
        "metadata": {"course": "7"},
    }
    assert seen.headers["Idempotency-Key"] == "k1"


def test_a_url_is_left_to_the_server_to_fetch(server: ScriptedServer, client: Client) -> None:
    server.on("POST", "/api/v1/jobs", Reply.of(job_view("queued"), 201))
    client.submit("HTTPS://example.org/a.mp4", spec=JobSpec(transcript=None))
    assert server.seen[0].json == {
        "source": {"url": "HTTPS://example.org/a.mp4"},
        "spec": {"transcript": None},
    }


def test_a_job_has_exactly_one_source(client: Client) -> None:
    with pytest.raises(ValueError, match="exactly one of"):
        client.jobs.create()
    with pytest.raises(ValueError, match="exactly one of"):
        client.jobs.create(url="https://example.org", upload_id="u1")


SEND = """
import resource, sys
from mill_client import Client, MillClientError
with Client(sys.argv[1], retries=0) as client:
    client.check_ready()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        client.uploads.send(sys.argv[2])
    except MillClientError as error:
        assert "http_507" in repr(error.code), error
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    size = 256 * 2**20
    with (tmp_path / "large.mp4").open("wb") as file:
        file.truncate(size)
    with _Drain() as server:
        ran = subprocess.run(
            [sys.executable, "-c", SEND, server.url, str(tmp_path / "large.mp4")],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert server.drained == size
    assert int(ran.stdout) * _RSS_UNIT < 32 * 2**20


_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class _Drain(ScriptedServer):
    """Reads bodies without keeping them."""

    def __init__(self) -> None:
        super().__init__()
        self.drained = 0
        self.on("GET", "/readyz", Reply.of({"status": "ready"}))
        self.on("POST", UPLOADS, Reply(507))

    def read(self, stream: BufferedIOBase, length: int) -> bytes:
        while length:
            chunk = stream.read(min(length, 2**20))
            length -= len(chunk)
            self.drained += len(chunk)
        return b""
