"""Runners that Dramatiq wakes: what a worker process consists of."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import dramatiq
import structlog

from mill_common.broker import listen
from mill_common.worker.runner import Runner

log = structlog.get_logger(__name__)

_TICK_S = 0.1


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

    @property
    def running(self) -> int:
        """How many tasks run."""
        return sum(runner.running for runner in self._runners)

    def let_finish(self, grace_s: float, hurried: Callable[[float], bool]) -> None:
        """Claim no more, and give what will end within `grace_s` the time to do so; the rest is handed back.

        `hurried` waits for so many seconds, and says whether there is no time any more.
        """
        until = time.monotonic() + grace_s
        for runner in self._runners:
            runner.drain()
        while any(runner.busy for runner in self._runners) and (left_s := until - time.monotonic()) > 0.0:
            for runner in self._runners:
                runner.hand_back(longer_than_s=left_s)
            if hurried(min(_TICK_S, left_s)):
                return

    def stop(self) -> None:
        """Hand back what runs and stop."""
        for runner in self._runners:
            runner.ask_to_stop()
        for runner in self._runners:
            runner.stop()
            log.info("worker_stopped", worker=runner.name)
        self._listener.stop()
