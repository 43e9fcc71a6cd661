"""Small things that a process does again and again beside its work, in one thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import structlog

log = structlog.get_logger(__name__)

PATIENCE_S = 2.0


@dataclass
class Chore:
    """What is done every `every_s` seconds, the first time at once. What it raises costs a log line."""

    name: str
    every_s: float
    do: Callable[[], object]
    due: float = field(default=0.0)
    failing: bool = field(default=False)


class Chores:
    """Does each when it is due."""

    def __init__(self, chores: Sequence[Chore]) -> None:
        self._chores = chores
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="chores", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop. One that waits for something which is gone does not keep the service from ending."""
        self._stopping.set()
        self._thread.join(PATIENCE_S)

    def _go_on(self) -> None:
        while not self._stopping.is_set():
            for chore in self._chores:
                if time.monotonic() >= chore.due and not self._stopping.is_set():
                    _do(chore)
                    chore.due = time.monotonic() + chore.every_s
            self._stopping.wait(max(0.05, min(chore.due for chore in self._chores) - time.monotonic()))


def _do(chore: Chore) -> None:
    try:
        chore.do()
    except Exception as error:  # noqa: BLE001 - none of them is worth the service
        if not chore.failing:  # once, not every few seconds of an outage
            log.warning("chore_failed", chore=chore.name, error=type(error).__name__)
        chore.failing = True
    else:
        chore.failing = False
