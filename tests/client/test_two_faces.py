"""The blocking and the async SDK say and do the same."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading
from pathlib import Path

import pytest
from api.running import Gateway, complete

from mill_client import AsyncClient, Client, JobStatus, NotFound, Stopped
from tools.unasync import main as unasync

PARTS = ["jobs", "events", "uploads", "keys", "users", "webhooks", "collections", "monitoring", "admin"]


def test_the_blocking_face_is_made_from_the_async_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["unasync", "--check"])
    assert unasync() == 0


@pytest.mark.parametrize("part", PARTS)
def test_both_faces_take_the_same_arguments(part: str) -> None:
    blocking, asynchronous = Client("http://x", ""), AsyncClient("http://x", "")
    names = {name for name in dir(getattr(blocking, part)) if not name.startswith("_")}
    assert names == {name for name in dir(getattr(asynchronous, part)) if not name.startswith("_")}
    assert names
    for name in names:
        here, there = (getattr(getattr(client, part), name) for client in (blocking, asynchronous))
        assert inspect.signature(here).parameters.keys() == inspect.signature(there).parameters.keys()
        assert here.__doc__ == there.__doc__
    blocking.close()
    asyncio.run(asynchronous.aclose())


def test_an_async_program_takes_a_video_from_submission_to_files(
    gateway: Gateway, ada_key: str, video: Path, tmp_path: Path
) -> None:
    body = b"one two three\n"

    async def run() -> list[str]:
        async with AsyncClient(gateway.url, ada_key) as mill:
            job = await mill.submit(video, metadata={"course": "7"})
            waiting = asyncio.create_task(mill.jobs.wait(job.job_id, timeout_s=60))
            await asyncio.to_thread(complete, gateway.resources, {"transcript.txt": body})
            assert (await waiting).status is JobStatus.COMPLETED
            assert [each.job_id async for each in mill.jobs.each(metadata="course=7")] == [job.job_id]
            with pytest.raises(NotFound):
                await mill.jobs.get("00000000-0000-7000-8000-000000000000")
            outputs = await mill.jobs.outputs(job.job_id)
            return [output.name for output in outputs]

    assert asyncio.run(run()) == ["transcript.txt"]


def test_many_async_requests_go_at_once(gateway: Gateway, ada_key: str, video: Path) -> None:
    async def run() -> set[str]:
        async with AsyncClient(gateway.url, ada_key) as mill:
            made = await asyncio.gather(*(mill.submit(video, force=True) for _ in range(8)))
            return {job.job_id for job in made}

    assert len(asyncio.run(run())) == 8


def test_a_cancelled_async_upload_stops_reading(gateway: Gateway, ada_key: str, tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    path.write_bytes(os.urandom(24 * 2**20))
    begun, may_go_on, told = threading.Event(), threading.Event(), []

    def on_bytes(sent: int, _total: int) -> None:
        told.append(sent)
        if sent:
            begun.set()
            may_go_on.wait(60)

    async def run() -> None:
        async with AsyncClient(gateway.url, ada_key) as mill:
            task = asyncio.create_task(mill.uploads.send_resumable(path, on_bytes=on_bytes))
            await asyncio.to_thread(begun.wait, 60)
            task.cancel()
            with pytest.raises((asyncio.CancelledError, Stopped)):
                await task
            may_go_on.set()

    asyncio.run(run())
    assert max(told) < path.stat().st_size
