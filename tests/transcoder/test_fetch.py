"""Fetching a job's source from its URL."""

from __future__ import annotations

import hashlib
import random
import socket
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from folder_job import FolderJob, FolderTask
from source_server import SourceServer, reply, source_server

from mill_common.errors import MillError, SourceMissing, SourceTooLarge, TaskCancelled
from mill_common.outgoing import AddressRefused, SourceUnreachable
from mill_common.queue.types import NewOutput
from mill_common.quotas import StorageQuotaExceeded
from mill_transcoder.fetch import fetch
from mill_transcoder.handlers import HANDLERS

OPEN = {"source_networks": "127.0.0.0/8, ::1/128"}


def _task(folder: Path, url: str | None, **settings: Any) -> FolderTask:
    unused = folder / "unused"
    unused.touch()
    job = FolderJob.of(folder, unused, **settings)
    job.facts = replace(job.facts, source_key=None, source_url=url, source_size=None)
    return job.task("fetch")


def test_the_worker_knows_the_task() -> None:
    assert HANDLERS["fetch"] is fetch


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_a_fetched_source_becomes_the_jobs_own(address: str, tmp_path: Path) -> None:
    body = random.Random(3).randbytes(500_000)
    with source_server(reply(body), address=address) as server:
        task = _task(tmp_path, f"{server.url}/holiday.mkv?signature=hush", **OPEN)
        result = fetch(task)

    output = task.made["source"]
    assert result.source is not None
    assert result.source.object_key == output.object_key
    assert result.source.sha256 == hashlib.sha256(body).hexdigest()
    assert (result.source.size, result.source.filename) == (len(body), "holiday.mkv")
    assert (tmp_path / "outputs" / output.object_key).read_bytes() == body


def test_the_source_outlives_the_job_and_is_typed_by_its_name(tmp_path: Path) -> None:
    answer = reply(b"<script>", headers=("Content-Type: text/html", "Content-Disposition: x; filename=a.html"))
    with source_server(answer) as server:
        task = _task(tmp_path, server.url, **OPEN)
        fetch(task)

    output = task.made["source"]
    assert (output.kind, output.intermediate) == ("source", False)
    assert output.content_type == "application/octet-stream"


def test_progress_rises_with_the_bytes_and_leaves_room_for_storing(tmp_path: Path) -> None:
    with source_server(reply(bytes(2_000_000))) as server:
        task = _task(tmp_path, server.url, **OPEN)
        fetch(task)

    assert task.stages == ["fetching", "storing"]
    assert task.fractions == sorted(task.fractions)
    assert any(0.0 < fraction < 0.9 for fraction in task.fractions)


def test_loopback_is_closed_unless_the_operator_opens_it(tmp_path: Path) -> None:
    with source_server(reply(b"secret")) as server:
        with pytest.raises(AddressRefused):
            fetch(_task(tmp_path, server.url))
        assert server.connections == 0


def test_a_source_over_the_limit_is_refused(tmp_path: Path) -> None:
    with source_server(reply(b"x" * 11)) as server, pytest.raises(SourceTooLarge):
        fetch(_task(tmp_path, server.url, max_source_bytes=10, **OPEN))


def test_a_source_that_breaks_off_is_not_stored(tmp_path: Path) -> None:
    with source_server(reply(b"half", length=8)) as server:
        task = _task(tmp_path, server.url, **OPEN)
        with pytest.raises(SourceUnreachable):
            fetch(task)
    assert task.made == {}


def test_a_job_without_a_url_has_no_source(tmp_path: Path) -> None:
    with pytest.raises(SourceMissing):
        fetch(_task(tmp_path, None))


def test_a_cancelled_fetch_stops_though_the_server_sends_nothing(tmp_path: Path) -> None:
    asked = threading.Event()

    def stalls(connection: socket.socket, path: str, server: SourceServer) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nclip")
        asked.set()
        server.closing.wait(20)

    with source_server(stalls) as server:
        task = _task(tmp_path, server.url, **OPEN)

        def cancel() -> None:
            asked.wait(20)
            task.put_down(TaskCancelled())

        canceller = threading.Thread(target=cancel)
        canceller.start()
        with pytest.raises(TaskCancelled):
            fetch(task)
        canceller.join()
    assert task.made == {}


def test_the_deadline_of_a_task_bounds_its_download(tmp_path: Path) -> None:
    def drips(connection: socket.socket, path: str, server: SourceServer) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not server.closing.wait(0.05):
            connection.sendall(b"x")

    with source_server(drips) as server, pytest.raises(SourceUnreachable, match="in time"):
        fetch(_task(tmp_path, server.url, task_deadline_s=0.5, **OPEN))


def _one_of_several(folder: Path, url: str, params: dict[str, Any], **settings: Any) -> FolderTask:
    unused = folder / "unused"
    unused.touch()
    job = FolderJob.of(folder, unused, **settings)
    job.facts = replace(job.facts, source_key=None)
    earlier = NewOutput(name="sources/00", kind="source", object_key="sources/00", size=30, sha256="", content_type="")
    job.outputs["sources/00"] = earlier
    return job.task("fetch-02", {"source": 2, "filename": "third.mp4", "url": url, **params})


def test_one_of_several_sources_is_kept_until_they_are_merged(tmp_path: Path) -> None:
    with source_server(reply(b"film")) as server:
        task = _one_of_several(tmp_path, f"{server.url}/c.mp4", {}, **OPEN)
        result = fetch(task)
    assert (task.made["sources/02"].intermediate, task.made["sources/02"].size) == (True, 4)
    assert (result.source, result.result) == (None, {"filename": "c.mp4"})


@pytest.mark.parametrize(
    ("room", "error"),
    [
        ({"max_source_bytes": 100, "stored_bytes": 60}, None),
        ({"max_source_bytes": 100, "stored_bytes": 61}, SourceTooLarge),
        ({"max_source_bytes": 100, "stored_bytes": 99}, SourceTooLarge),
        ({"max_source_bytes": 100, "storage_left": 40}, None),
        ({"max_source_bytes": 100, "storage_left": 39}, StorageQuotaExceeded),
    ],
)
def test_sources_are_fetched_into_the_room_that_the_others_left(
    room: dict[str, int], error: type[MillError] | None, tmp_path: Path
) -> None:
    with source_server(reply(b"x" * 10)) as server:
        task = _one_of_several(tmp_path, server.url, room, **OPEN)
        if error is None:
            fetch(task)
            return
        with pytest.raises(error, match=r"^sources\[2\] \(third.mp4\): "):
            fetch(task)
    assert task.made == {}
