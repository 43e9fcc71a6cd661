"""A run being done: it keeps its lease in a thread of its own, so that a slow step does not lose it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sentry_sdk
import structlog
from sqlalchemy.exc import SQLAlchemyError

from mill_common.database import Database
from mill_common.errors import LeaseLost, MillError, ShuttingDown
from mill_common.runs.ledger import Counts, RunClaim, complete, fail, hand_back, renew

log = structlog.get_logger(__name__)

Result = Mapping[str, Any]


class Run:
    """What a sweep is given: it counts here, and learns here that it must stop."""

    def __init__(self, claim: RunClaim, stopping: threading.Event) -> None:
        self.claim = claim
        self.parameters = claim.parameters
        self.counts = Counts()
        self.lost = threading.Event()
        self._stopping = stopping

    def expect(self, more: int) -> None:
        """Say that there are `more` items to do than was known."""
        self._count(total=(self.counts.total or 0) + more)

    def count(self, *, succeeded: int = 0, failed: int = 0) -> None:
        """Count items that are done, and stop if another watchdog has the run or this process ends.

        Raises:
            LeaseLost: Another watchdog has the run by now.
            ShuttingDown: The process is to end.
        """
        self._count(succeeded=self.counts.succeeded + succeeded, failed=self.counts.failed + failed)
        if self.lost.is_set():
            raise LeaseLost
        if self._stopping.is_set():
            raise ShuttingDown

    def _count(self, **values: Any) -> None:
        self.counts = Counts(**{**vars(self.counts), **values})


def do(
    database: Database,
    claim: RunClaim,
    work: Callable[[Run], Result],
    *,
    lease_s: float,
    heartbeat_s: float,
    stopping: threading.Event | None = None,
) -> Result | None:
    """Do a run and record how it ended. Returns its result, or None if it did not complete.

    Never raises: a run that cannot be ended is taken over when its lease runs out.
    """
    run = Run(claim, stopping or threading.Event())
    try:
        with _kept(database, run, lease_s=lease_s, heartbeat_s=heartbeat_s):
            result = work(run)
        database.run(lambda session: complete(session, claim, run.counts, result))
    except Exception as error:  # noqa: BLE001 - the run's row is where a sweep's error goes
        _end(database, run, error)
        return None
    log.info("run_completed", schedule=claim.schedule, processed=run.counts.succeeded + run.counts.failed)
    return result


def _end(database: Database, run: Run, error: Exception) -> None:
    if isinstance(error, LeaseLost):
        log.info("run_lost", schedule=run.claim.schedule)
        return
    said = error.message if isinstance(error, MillError) else type(error).__name__
    if not isinstance(error, MillError | SQLAlchemyError):
        log.error("run_crashed", schedule=run.claim.schedule, exc_info=error)
        sentry_sdk.capture_exception(error)
    else:
        log.warning("run_failed", schedule=run.claim.schedule, error=said)
    try:
        if isinstance(error, ShuttingDown):
            database.run(lambda session: hand_back(session, run.claim))
        else:
            database.run(lambda session: fail(session, run.claim, run.counts, said))
    except (LeaseLost, SQLAlchemyError) as unwritten:
        log.warning("run_left_to_its_lease", schedule=run.claim.schedule, error=type(unwritten).__name__)


@contextmanager
def _kept(database: Database, run: Run, *, lease_s: float, heartbeat_s: float) -> Iterator[None]:
    done = threading.Event()

    def keep() -> None:
        while not done.wait(heartbeat_s):
            try:
                database.run(lambda session: renew(session, run.claim, run.counts, lease_s=lease_s))
            except LeaseLost:
                run.lost.set()
                return
            except SQLAlchemyError as error:
                log.warning("run_heartbeat_failed", schedule=run.claim.schedule, error=type(error).__name__)

    keeping = threading.Thread(target=keep, name=f"run-{run.claim.schedule}", daemon=True)
    keeping.start()
    try:
        yield
    finally:
        done.set()
        keeping.join()
