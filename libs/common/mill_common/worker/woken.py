"""Runners that Dramatiq wakes: what a worker process consists of."""

from __future__ import annotations

from collections.abc import Sequence

import dramatiq
import structlog

from mill_common.broker import listen
from mill_common.worker.runner import Runner

log = structlog.get_logger(__name__)


class Woken:
    """Runners, one a queue, together with the Dramatiq worker that wakes them."""

    def __init__(self, broker: dramatiq.Broker, *runners: Runner) -> None:
        self._broker = broker
        self._runners: Sequence[Runner] = runners

    def start(self) -> None:
        """Begin to work."""
        for runner in self._runners:
            runner.start()
            log.info("worker_started", worker=runner.name, queue=runner.queue_name)
        self._listener = listen(
            self._broker,
            wakes={runner.queue_name: runner.wake for runner in self._runners},
            idle={runner.queue_name: runner.idle for runner in self._runners},
        )

    def stop(self) -> None:
        """Hand back what runs and stop."""
        for runner in self._runners:
            runner.ask_to_stop()
        for runner in self._runners:
            runner.stop()
            log.info("worker_stopped", worker=runner.name)
        self._listener.stop()
