"""A runner that Dramatiq wakes: what a worker process consists of."""

from __future__ import annotations

import signal
import threading
from collections.abc import Mapping

import structlog

from mill_common.broker import listen
from mill_common.logs import configure_logs
from mill_common.resources import Resources, open_resources
from mill_common.sentry import init_sentry
from mill_common.settings import Settings
from mill_common.worker.context import Handler
from mill_common.worker.runner import Runner

log = structlog.get_logger(__name__)


class WorkerService:
    """One queue's runner together with the Dramatiq worker that wakes it."""

    def __init__(
        self, *, service: str, queue_name: str, handlers: Mapping[str, Handler], resources: Resources, slots: int
    ) -> None:
        self.runner = Runner(
            service=service,
            queue_name=queue_name,
            handlers=handlers,
            queue=resources.queue,
            store=resources.store,
            settings=resources.settings,
            slots=slots,
        )
        self._broker = resources.broker

    def start(self) -> None:
        """Begin to work."""
        self.runner.start()
        self._listener = listen(self._broker, [self.runner.queue_name], lambda _queue: self.runner.wake())
        log.info("worker_started", worker=self.runner.name, queue=self.runner.queue_name)

    def stop(self) -> None:
        """Hand back what runs and stop."""
        self.runner.stop()
        self._listener.stop()
        log.info("worker_stopped", worker=self.runner.name)


def serve(*, service: str, queue_name: str, handlers: Mapping[str, Handler], slots: int, settings: Settings) -> None:
    """Run a worker process until SIGTERM or SIGINT."""
    configure_logs(settings, service)
    init_sentry(settings, service)
    resources = open_resources(settings)
    worker = WorkerService(service=service, queue_name=queue_name, handlers=handlers, resources=resources, slots=slots)
    asked = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: asked.set())
    worker.start()
    asked.wait()
    worker.stop()
    resources.close()
