"""Whether leases may be judged: workers that could not reach the database could not renew theirs either."""

from __future__ import annotations

import time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mill_common.database import Database

log = structlog.get_logger(__name__)


class Contact:
    """Watches the database come and go.

    After an outage, and after a silence of half a lease (the server hung, or this process was stopped), no lease is
    judged until one more lease has passed: who still lives has renewed its own by then. A watchdog that has just
    started knows of no outage, and judges at once.
    """

    def __init__(self, database: Database, *, lease_s: float, sweep_s: float) -> None:
        self._database = database
        self._lease_s = lease_s
        self._silence_s = sweep_s + lease_s / 2
        self._away = False
        self._seen = time.monotonic()
        self._judge_from = 0.0

    def check(self) -> None:
        """Ask the database; raises what it raises."""
        try:
            self._database.check()
        except SQLAlchemyError:
            self._away = True
            raise
        now = time.monotonic()
        if self._away or now - self._seen > self._silence_s:
            self._judge_from = now + self._lease_s
            log.warning("reaping_paused", seconds=self._lease_s)
        self._away = False
        self._seen = now

    def lost(self) -> None:
        """Say that the database went away in the middle of something."""
        self._away = True

    def kept(self) -> None:
        """Say that it answered until now."""
        self._seen = time.monotonic()

    @property
    def may_judge(self) -> bool:
        """Whether a lease that has run out means that nobody holds it."""
        return not self._away and time.monotonic() >= self._judge_from
