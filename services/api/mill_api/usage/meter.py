"""What was asked since it was last written down."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import NamedTuple
from uuid import UUID

import structlog
from anyio import to_thread
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session

from mill_common.database import Database
from mill_common.histogram import bucket_of
from mill_common.models import Traffic, Usage

log = structlog.get_logger(__name__)

MOST = 50_000  # rows kept while the database is away
AT_ONCE = 500  # rows a statement


class Asked(NamedTuple):
    """The key of a row. Rows are written in its order, so that gateways never wait for each other in a circle."""

    owner_id: str
    day: date
    key_id: UUID
    route: str
    bucket: int


@dataclass
class Tally:
    """What a row counts."""

    requests: int = 0
    errors: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def add(self, other: Tally) -> None:
        """Add what another one counted."""
        self.requests += other.requests
        self.errors += other.errors
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out


class Meter:
    """Counts on the event loop, so without a lock; a thread writes."""

    def __init__(self, database: Database, flush_s: float) -> None:
        self._database = database
        self._flush_s = flush_s
        self._tallies: dict[Asked, Tally] = {}

    def note(self, owner_id: str, key_id: UUID, route: str, seconds: float, tally: Tally) -> None:
        """Count a request that was answered after `seconds`."""
        day = datetime.now(UTC).date()
        self._add(Asked(owner_id, day, key_id, route, bucket_of(seconds)), tally)

    async def run(self) -> None:
        """Write down what was counted, again and again."""
        while True:
            await asyncio.sleep(self._flush_s)
            await self.flush()

    async def flush(self) -> None:
        """Write down what was counted. Never raises: what could not be written is kept for the next time."""
        tallies, self._tallies = self._tallies, {}
        if not tallies:
            return
        try:
            await to_thread.run_sync(self._write, tallies)
        except (SQLAlchemyError, OSError) as error:
            log.warning("usage not written", error=type(error).__name__)
            for asked, tally in tallies.items():
                self._add(asked, tally)

    def _add(self, asked: Asked, tally: Tally) -> None:
        if asked in self._tallies or len(self._tallies) < MOST:
            self._tallies.setdefault(asked, Tally()).add(tally)

    def _write(self, tallies: dict[Asked, Tally]) -> None:
        rows = [asked._asdict() | vars(tally) for asked, tally in sorted(tallies.items(), key=lambda row: row[0])]
        traffic = _traffic(tallies)

        def write(session: Session) -> None:
            _upsert(session, Usage, rows)
            _upsert(session, Traffic, traffic)

        # One transaction: either all of it is counted, or it is all tried again.
        self._database.run(write)


def _traffic(tallies: dict[Asked, Tally]) -> list[dict[str, object]]:
    routes: dict[str, Tally] = defaultdict(Tally)
    for asked, tally in tallies.items():
        routes[asked.route].add(tally)
    minute = int(time.time() // 60)
    return [
        {"minute": minute, "route": route, "requests": tally.requests, "errors": tally.errors}
        for route, tally in sorted(routes.items())
    ]


def _upsert(session: Session, counts: type[Usage | Traffic], rows: list[dict[str, object]]) -> None:
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    table = counts.__table__  # type: ignore[union-attr]  # SQLModel sets it
    for start in range(0, len(rows), AT_ONCE):
        insert = (sqlite.insert if on_sqlite else postgresql.insert)(table).values(rows[start : start + AT_ONCE])
        added = {name: table.c[name] + insert.excluded[name] for name in vars(Tally()) if name in table.c}
        session.execute(insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=added))


async def stop(running: asyncio.Task[None]) -> None:
    """End a meter's `run`."""
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
