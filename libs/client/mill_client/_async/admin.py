"""What operators do with workers, queues and everybody's jobs."""

from __future__ import annotations

from collections.abc import Sequence

from .._calls import operations as calls
from .._calls.call import given
from ..models import BulkResult, DeadLetterPage, Queue, Worker
from .transport import AsyncTransport


class AsyncAdmin:
    """Looking takes the scope `viewer`, changing `operator`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def workers(self, *, stopped: bool = False) -> list[Worker]:
        """The workers, and with `stopped` those of the last week that are no more."""
        return (await self._transport.send(calls.workers(stopped=stopped))).workers

    async def pause_worker(self, worker_id: str) -> Worker:
        """Have a worker claim nothing. What it runs goes on."""
        return await self._transport.send(calls.tell_worker(worker_id, "pause"))

    async def resume_worker(self, worker_id: str) -> Worker:
        """Let a paused worker claim again."""
        return await self._transport.send(calls.tell_worker(worker_id, "resume"))

    async def drain_worker(self, worker_id: str) -> Worker:
        """Have a worker end what it runs, and stop. That can't be taken back."""
        return await self._transport.send(calls.tell_worker(worker_id, "drain"))

    async def queues(self) -> list[Queue]:
        """The queues, with what waits, runs and has failed in them."""
        return (await self._transport.send(calls.queues())).queues

    async def pause_queue(self, queue: str, *, reason: str | None = None) -> Queue:
        """Have no worker claim anything of a queue. What runs goes on."""
        return await self._transport.send(calls.pause_queue(queue, reason))

    async def resume_queue(self, queue: str) -> Queue:
        """Let workers claim from a queue again."""
        return await self._transport.send(calls.resume_queue(queue))

    async def dead_letters(self, *, page: int | None = None, per_page: int | None = None) -> DeadLetterPage:
        """The tasks that failed for good, the latest first."""
        return await self._transport.send(calls.dead_letters(given(page=page, per_page=per_page)))

    async def cancel_jobs(self, job_ids: Sequence[str]) -> BulkResult:
        """Cancel up to 1000 jobs of any owners."""
        return await self._transport.send(calls.bulk("bulk-cancel", job_ids))

    async def retry_jobs(self, job_ids: Sequence[str]) -> BulkResult:
        """Retry up to 1000 failed jobs of any owners: only what failed of them runs again."""
        return await self._transport.send(calls.bulk("bulk-retry", job_ids))
