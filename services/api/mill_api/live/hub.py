"""One look at the rows for everybody who watches in this process."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from uuid import UUID

import structlog
from anyio import to_thread
from sqlalchemy.exc import SQLAlchemyError

from mill_api.callers import Caller
from mill_api.live.reading import changed_states
from mill_api.live.state import State, deleted
from mill_api.live.watcher import Watcher
from mill_api.standing import refused_by_now
from mill_common.database import Database
from mill_common.metrics.instruments import EVENT_WATCHERS

log = structlog.get_logger(__name__)

TICK_S = 0.25
OVERLAP_S = 2.0  # a row is stamped before its transaction is seen
RECHECK_S = 10.0  # how often every watched job is looked at, whatever its row's time says: it may be gone
OUTAGE_PAUSE_S = 2.0
STANDING_S = 5.0  # how often the keys and sessions of those who watch are looked at again
LONGEST_S = 3600.0  # then a client comes back


class Hub:
    """Looks at what changed while anybody watches, and tells each watcher. Everything but the look is on the loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._watchers: dict[Watcher, float] = {}
        self._of: dict[UUID | str, set[Watcher]] = defaultdict(set)  # a job's, and an owner's
        self._known: dict[UUID, State] = {}
        self._old: set[UUID] = set()  # ended, and told long enough ago
        self._polling: asyncio.Task[None] | None = None
        self._looked_at = 0.0
        self._rechecked_at = 0.0
        self._admitted_at = 0.0

    @property
    def watching(self) -> int:
        """How many clients watch."""
        return len(self._watchers)

    def known(self, job_id: UUID) -> State | None:
        """The latest state of a job that somebody watches."""
        return self._known.get(job_id) if job_id in self._of else None

    @contextmanager
    def watch(
        self, caller: Caller, job_id: UUID | None, states: Iterable[State], *, already_told: bool = False
    ) -> Iterator[Watcher]:
        """A watcher of one job, or of all an owner's.

        It is told `states` first, unless its client has seen them, and what happens from then on.
        """
        watcher = Watcher(caller, job_id)
        for state in states:
            latest = self._latest(state)
            if not already_told or latest != state:
                watcher.offer(latest, stage=True)
        self._watchers[watcher] = time.monotonic()
        self._of[job_id or caller.owner_id].add(watcher)
        if self._polling is None:
            self._looked_at = self._rechecked_at = self._admitted_at = time.monotonic()
            self._polling = asyncio.get_running_loop().create_task(self._poll())
        EVENT_WATCHERS.inc()
        try:
            yield watcher
        finally:
            self._leave(watcher)

    def close(self) -> None:
        """End every stream; clients come back to another process."""
        for watcher in self._watchers:
            watcher.close()

    async def look(self) -> None:
        """Look once at what changed, and tell it."""
        began = time.monotonic()
        recheck = began - self._rechecked_at >= RECHECK_S
        watched = [job for job in self._of if isinstance(job, UUID)] if recheck else []
        owners = {watcher.owner_id for watcher in self._watchers}
        within_s = began - self._looked_at + OVERLAP_S
        states = await to_thread.run_sync(self._read, owners, within_s, watched)
        self._looked_at = began
        for state in states:
            self._tell(state)
        if recheck:
            self._rechecked_at = began
            self._recheck(watched, {state.job_id for state in states})
        if began - self._admitted_at >= STANDING_S:
            self._admitted_at = began
            await self._send_away()

    def _latest(self, state: State) -> State:
        known = self._known.get(state.job_id)
        if known is not None and known.seen.updated_at >= state.seen.updated_at:
            return known
        self._tell(state)
        self._known[state.job_id] = state
        return state

    def _leave(self, watcher: Watcher) -> None:
        del self._watchers[watcher]
        EVENT_WATCHERS.dec()
        group = self._of[watcher.job_id or watcher.owner_id]
        group.discard(watcher)
        if not group:
            del self._of[watcher.job_id or watcher.owner_id]
        if not self._watchers and self._polling is not None:
            self._polling.cancel()
            self._polling = None
            self._known.clear()

    async def _poll(self) -> None:
        pause_s = TICK_S
        try:
            while True:
                try:
                    await self.look()
                except (SQLAlchemyError, OSError) as error:
                    if pause_s == TICK_S:
                        log.warning("progress cannot be read", error=type(error).__name__)
                    pause_s = OUTAGE_PAUSE_S
                else:
                    pause_s = TICK_S
                await asyncio.sleep(pause_s)
        finally:
            if self._polling is asyncio.current_task():
                # A mistake of ours: whoever watches comes back, and that begins anew.
                self._polling = None
                self.close()

    def _read(self, owners: set[str], within_s: float, also: list[UUID]) -> list[State]:
        with self._database.read() as session:
            return changed_states(session, owners, within_s=within_s, also=also)

    async def _send_away(self) -> None:
        """End the streams of keys that were revoked or have expired, and of people whose sessions have ended."""
        callers = {watcher.caller for watcher in self._watchers}
        refused = await to_thread.run_sync(self._refused, callers)
        for watcher in self._watchers:
            if watcher.caller in refused:
                watcher.close()

    def _refused(self, callers: set[Caller]) -> set[Caller]:
        with self._database.read() as session:
            return refused_by_now(session, callers)

    def _tell(self, state: State) -> None:
        watchers = self._of.get(state.job_id, set()) | self._of.get(state.owner_id, set())
        before = self._known.get(state.job_id)
        if not watchers or before == state:
            return
        self._known[state.job_id] = state
        stage = before is None or before.stage != state.stage
        for watcher in watchers:
            watcher.offer(state, stage=stage)

    def _recheck(self, watched: list[UUID], found: set[UUID]) -> None:
        for job_id in watched:
            if job_id not in found and (state := self._known.get(job_id)) is not None:
                self._tell(deleted(state))
        # What has ended is kept until no look finds it again, or its end would be told twice; then it is forgotten.
        self._known = {job: state for job, state in self._known.items() if job not in self._old or job in self._of}
        self._old = {job for job, state in self._known.items() if state.ending}
        for watcher, joined_at in self._watchers.items():
            if time.monotonic() - joined_at > LONGEST_S:
                watcher.close()
