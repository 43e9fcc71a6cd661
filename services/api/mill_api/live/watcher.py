"""One client that watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

from mill_api.callers import Caller
from mill_api.live.state import State

BACKLOG = 1000  # jobs whose news a client has not taken


class Watcher:
    """Keeps the latest state of each job until its client takes it: what a slow client missed is superseded."""

    def __init__(self, caller: Caller, job_id: UUID | None) -> None:
        self.caller = caller
        self.owner_id = caller.owner_id
        self.job_id = job_id
        self._news: dict[UUID, tuple[State, bool]] = {}
        self._arrived = asyncio.Event()
        self._closed = False

    def offer(self, state: State, *, stage: bool) -> None:
        """Have `state` told; `stage` says that its stage is a new one."""
        _, untold = self._news.pop(state.job_id, (state, False))
        self._news[state.job_id] = (state, stage or untold)
        if len(self._news) > BACKLOG:
            # It comes back with the id of the last event that it saw, and is told the rest.
            self._closed = True
        self._arrived.set()

    def close(self) -> None:
        """End the stream once what is waiting has been told."""
        self._closed = True
        self._arrived.set()

    async def news(self) -> AsyncIterator[bytes]:
        """Events as they come, until the watched job has ended or somebody closes."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            news, self._news = self._news, {}
            if news and len(news) <= BACKLOG:
                yield b"".join(state.frames(stage=stage) for state, stage in news.values())
            if self._closed or (self.job_id is not None and any(state.ending for state, _ in news.values())):
                return
