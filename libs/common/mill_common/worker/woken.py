"""A runner that Dramatiq wakes: what a worker process consists of."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from mill_common.broker import listen
from mill_common.resources import Resources
from mill_common.worker.context import Handler
from mill_common.worker.runner import Runner

log = structlog.get_logger(__name__)


class WokenRunner:
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
