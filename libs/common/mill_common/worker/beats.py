"""What keeps the leases of running tasks alive, and lets go of those that it could not keep."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import sentry_sdk
import structlog
from sqlalchemy.exc import SQLAlchemyError

from mill_common.errors import LeaseLost
from mill_common.worker.running import RunningTask

log = structlog.get_logger(__name__)

_BEAT_S = 1.0  # how often tasks are looked after, at the most


class Beats:
    """Two threads: one sends heartbeats and `also` does what is due as often, one watches the leases.

    They are apart because a heartbeat that waits for a database which says nothing must not let its task outlive the
    lease. Both go on after `stopping` is set until nothing runs, or leases would end during a slow shutdown.
    """

    def __init__(
        self,
        tasks: Callable[[], Sequence[RunningTask]],
        *,
        service: str,
        heartbeat_s: float,
        stopping: threading.Event,
        also: Callable[[], None],
    ) -> None:
        self._tasks = tasks
        self._every_s = min(_BEAT_S, heartbeat_s)
        self._stopping = stopping
        self._also = also
        self._threads = [
            threading.Thread(target=self._go_on, args=(work,), name=f"{service}-{name}", daemon=True)
            for name, work in (("beat", self._beat), ("guard", self._guard))
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until both have ended."""
        for thread in self._threads:
            thread.join()

    def _go_on(self, work: Callable[[], None]) -> None:
        while not self._stopping.is_set() or self._tasks():
            work()
            if self._stopping.wait(self._every_s):
                time.sleep(self._every_s / 10)

    def _beat(self) -> None:
        for task in self._tasks():
            try:
                task.beat()
            except SQLAlchemyError as error:
                log.warning("heartbeat_failed", task=str(task.claim.task_id), error=type(error).__name__)
            except Exception as error:
                log.exception("heartbeat_crashed", task=str(task.claim.task_id), exc_info=error)
                sentry_sdk.capture_exception(error)
        self._also()

    def _guard(self) -> None:
        for task in self._tasks():
            if task.lease_may_be_over():
                task.put_down(LeaseLost())
