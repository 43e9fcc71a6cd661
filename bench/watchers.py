"""What a thousand clients that watch a job cost one gateway, and how soon all of them hear of a change."""

from __future__ import annotations

import asyncio
import resource
import time
from pathlib import Path
from uuid import UUID

from sqlalchemy import text, update
from sqlmodel import col

from bench.gateway import Gateway, gateway
from bench.result import Result
from mill_common.clock import db_now
from mill_common.models import Job, Owner
from mill_common.states import JobStatus

WATCHERS = 1000
AT_ONCE = 50  # connections being made
WRITES = 20
QUERIES_S = 8.0  # how long statements are counted


def run(folder: Path) -> list[Result]:
    """Memory for each watcher, the slowest delivery, and queries beside those for one watcher."""
    _raise_file_limit(4 * WATCHERS)
    with gateway(folder, MILL_RATE_LIMITS="false") as mill:
        return asyncio.run(_measure(mill))


async def _measure(mill: Gateway) -> list[Result]:
    job_id = await asyncio.to_thread(_job, mill)
    watching = [await _Watcher.join(mill, job_id)]
    for _ in range(200):  # threads, pools and caches are not what is measured
        (await _Watcher.join(mill, job_id)).leave()
    await asyncio.sleep(2)
    before = mill.memory()
    one = await _queries(mill)
    for _ in range(0, WATCHERS - 1, AT_ONCE):
        joining = min(AT_ONCE, WATCHERS - len(watching))
        watching += await asyncio.gather(*(_Watcher.join(mill, job_id) for _ in range(joining)))
    delays = [await _deliver(mill, job_id, watching, step) for step in range(1, WRITES + 1)]
    each = (mill.memory() - before) / 2**10 / (WATCHERS - 1)
    many = await _queries(mill)
    for watcher in watching:
        watcher.leave()
    return [
        Result("watchers_memory", each, "KiB", 64.0, f"the same gateway with one watcher in place of {WATCHERS}"),
        Result("watchers_delivery", max(delays), "s", 1.0, f"the slowest of {WATCHERS} clients in {WRITES} writes"),
        Result("watchers_queries", many / one, "x", 1.25, f"transactions with one watcher ({one:.1f}/s)"),
    ]


class _Watcher:
    """A client with no more in it than a socket, so that a thousand of them leave the gateway its processor."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def join(cls, mill: Gateway, job_id: UUID) -> _Watcher:
        """Connect, and hear how things are."""
        reader, writer = await asyncio.open_connection(mill.host, mill.port, limit=2**12)
        watcher = cls(reader, writer)
        request = f"GET /api/v1/events/{job_id}/progress HTTP/1.1\r\nHost: bench\r\nX-API-Key: {mill.key}\r\n\r\n"
        writer.write(request.encode())
        await watcher.hear('"status":"processing"')
        return watcher

    async def hear(self, sign: str) -> float:
        """Wait for an event that holds `sign`; when it came."""
        while sign.encode() not in (line := await self._reader.readline()):
            if not line:
                raise RuntimeError("the gateway ended a stream")
        return time.perf_counter()

    def leave(self) -> None:
        """Close the connection."""
        self._writer.transport.abort()


async def _deliver(mill: Gateway, job_id: UUID, watching: list[_Watcher], step: int) -> float:
    sign = f'"overall_progress":{step}.0'
    hearing = asyncio.gather(*(watcher.hear(sign) for watcher in watching))
    written = await asyncio.to_thread(_write, mill, job_id, step / 100)
    return max(await hearing) - written


async def _queries(mill: Gateway) -> float:
    # The statistics of a session are seen a second after its transaction.
    await asyncio.sleep(2)
    before, began = await asyncio.to_thread(_transactions, mill), time.perf_counter()
    await asyncio.sleep(QUERIES_S)
    after = await asyncio.to_thread(_transactions, mill)
    return (after - before) / (time.perf_counter() - began)


def _transactions(mill: Gateway) -> int:
    counted = text("SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()")
    with mill.database.read() as session:
        return int(session.scalar(counted) or 0)


def _job(mill: Gateway) -> UUID:
    job = Job(owner_id="admin", filename="clip.mp4", status=JobStatus.PROCESSING)
    with mill.database.write() as session:
        if session.get(Owner, job.owner_id) is None:
            session.add(Owner(id=job.owner_id))
            session.flush()
        session.add(job)
        session.flush()
        return job.id


def _write(mill: Gateway, job_id: UUID, progress: float) -> float:
    with mill.database.write() as session:
        session.execute(update(Job).where(col(Job.id) == job_id).values(progress=progress, updated_at=db_now()))
    return time.perf_counter()


def _raise_file_limit(files: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(files, hard), hard))
