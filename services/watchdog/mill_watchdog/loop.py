"""The loop that repairs the queue."""

from __future__ import annotations

import threading

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mill_common.errors import MillError
from mill_common.resources import Resources
from mill_watchdog.uploads import expire_uploads

log = structlog.get_logger(__name__)


class Watchdog:
    """Every `sweep_s` seconds: take tasks from dead workers, send lost wake-ups again, remove expired uploads.

    Any number may run at once. What one of them has mended, the others no longer find.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._sweep_s = resources.settings.sweep_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch; the first sweep is at once."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the sweep at hand and stop."""
        self._stopping.set()
        self._thread.join()

    def sweep(self) -> None:
        """Repair what there is to repair, once."""
        reaped = self._resources.queue.reap_expired()
        resent = self._resources.queue.resend()
        removed = expire_uploads(self._resources)
        if reaped or resent or removed:
            log.info("swept", leases_expired=reaped, wake_ups_resent=resent, uploads_expired=removed)

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self.sweep()
            except (SQLAlchemyError, MillError) as error:
                log.warning("sweep_failed", error=type(error).__name__)
            self._stopping.wait(self._sweep_s)


def watchdog(resources: Resources) -> Watchdog:
    """A watchdog over these resources."""
    return Watchdog(resources)
