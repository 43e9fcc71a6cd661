"""The four services in one process."""

from __future__ import annotations

import shutil

import structlog

from mill_common.migrations import migrate
from mill_common.queue import expire_leases
from mill_common.resources import Resources
from mill_common.service import Service
from mill_common.worker import Woken, close_workers
from mill_transcoder import tools as transcoding
from mill_transcoder.worker import transcoder
from mill_transcriber import tools as transcribing
from mill_transcriber.worker import transcriber
from mill_watchdog.loop import watchdog

log = structlog.get_logger(__name__)

TOOLS = {**transcoding.TOOLS, **transcribing.TOOLS}


class Mill:
    """Transcoder, transcriber and watchdog in threads of this process. The gateway runs beside them."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._services: list[Service] = []
        self._workers: Woken | None = None

    def take_over(self) -> None:
        """Bring the schema up to date and free what an earlier process left unfinished."""
        migrate(self._resources.database)
        if self._resources.database.is_sqlite:
            self._free_tasks()

    def start(self) -> None:
        """Begin to work."""
        resources = self._resources
        workers = Woken(resources.broker, transcoder(resources), transcriber(resources))
        self._workers = workers
        self._services = [workers, watchdog(resources)]
        for service in self._services:
            service.start()

    @property
    def running(self) -> int:
        """How many tasks run."""
        return self._workers.running if self._workers else 0

    def stop(self) -> None:
        """Hand back what runs and stop."""
        for service in reversed(self._services):
            service.stop()

    def _free_tasks(self) -> None:
        # Whoever holds the data folder is the only process on its database: all earlier workers are dead.
        left = self._resources.database.run(lambda session: expire_leases(session, worker_prefix=""))
        self._resources.queue.reap_expired()
        self._resources.database.run(close_workers)
        shutil.rmtree(self._resources.settings.scratch, ignore_errors=True)
        if left:
            log.info("tasks_taken_over", count=left)
