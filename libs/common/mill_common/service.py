"""A service process, from its settings to SIGTERM."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from typing import Protocol

from mill_common.logs import configure_logs
from mill_common.resources import Resources, open_resources
from mill_common.sentry import init_sentry
from mill_common.settings import Settings


class Service(Protocol):
    """Something that works in threads of its own."""

    def start(self) -> None:
        """Begin to work."""

    def stop(self) -> None:
        """Stop and wait until everything is put down."""


def serve(name: str, make: Callable[[Resources], Service], settings: Settings) -> None:
    """Run a service until SIGTERM or SIGINT."""
    configure_logs(settings, name)
    init_sentry(settings, name)  # before the broker is made, or its messages carry no trace
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    resources = open_resources(settings)
    service = make(resources)
    service.start()
    asked.wait()
    service.stop()
    resources.close()
