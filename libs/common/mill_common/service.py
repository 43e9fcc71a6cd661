"""A service process, from its settings to SIGTERM."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from mill_common.database import Database
from mill_common.logs import configure_logs
from mill_common.observing import observed
from mill_common.resources import Resources, open_resources
from mill_common.sentry import init_sentry
from mill_common.settings import Settings
from mill_common.signs import signs_of

LAST_WORDS_S = 10.0  # how long a process that ends waits for a database that says nothing


class Service(Protocol):
    """Something that works in threads of its own."""

    def start(self) -> None:
        """Begin to work."""

    def stop(self) -> None:
        """Stop and wait until everything is put down."""


class Signals:
    """SIGTERM and SIGINT, each of which asks the process to stop."""

    def __init__(self) -> None:
        # Unlike an event, it may be put to from a signal handler while this very thread waits for it.
        self._asked: queue.SimpleQueue[None] = queue.SimpleQueue()

    def listen(self) -> None:
        """Take the signals from now on. For the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.ask())

    def ask(self) -> None:
        """Ask as a signal does."""
        self._asked.put(None)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for one more request to stop; whether it came in time."""
        try:
            self._asked.get(timeout=timeout_s)
        except queue.Empty:
            return False
        return True


@contextmanager
def process(name: str, settings: Settings) -> Iterator[tuple[Resources, Signals]]:
    """What a service process has around it: logs, error reports, signals and open connections."""
    configure_logs(settings, name)
    init_sentry(settings, name)  # before the broker is made, or its messages carry no trace
    signals = Signals()
    signals.listen()
    resources = open_resources(settings)
    try:
        yield resources, signals
    finally:
        resources.close()


@contextmanager
def last_words(database: Database, patience_s: float = LAST_WORDS_S) -> Iterator[None]:
    """Within this block a process writes what is still to be written; a database that says nothing ends it."""
    hanging_up = threading.Timer(patience_s, database.hang_up)
    hanging_up.start()
    try:
        yield
    finally:
        hanging_up.cancel()


def serve(name: str, make: Callable[[Resources], Service], settings: Settings) -> None:
    """Run a service that runs no tasks until SIGTERM or SIGINT."""
    with process(name, settings) as (resources, signals):
        service = make(resources)
        with observed(name, resources, signs_of(resources, whole=True), lambda: 0):
            service.start()
            signals.wait()
        with last_words(resources.database):
            service.stop()
