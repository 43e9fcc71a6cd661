"""Looks again and again, and does what was asked for, in a thread: keys are never kept waiting by the network."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ...errors import MillClientError
from .snapshot import Snapshot, look

if TYPE_CHECKING:
    from ..._sync.client import Client

Act = Callable[["Client"], str]
"""Does something, and says what became of it."""


class Background:
    """A context manager. `latest`, `error` and `said` are always there to be shown."""

    def __init__(self, client: Client, first: Snapshot, interval_s: float) -> None:
        self.latest = first
        self.error = ""
        self.said = ""
        self._client = client
        self._interval_s = interval_s
        self._asked: queue.Queue[Act | None] = queue.Queue()
        self._over = Event()
        self._thread = Thread(target=self._run, name="monitor", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._over.set()
        self._asked.put(None)
        self._thread.join(1.0)  # a request that is under way may take longer, and is left

    def ask(self, act: Act) -> None:
        """Have something done."""
        self.said = "…"
        self._asked.put(act)

    def _run(self) -> None:
        due = time.monotonic() + self._interval_s
        while not self._over.is_set():
            try:
                act = self._asked.get(timeout=max(0.0, due - time.monotonic()))
            except queue.Empty:
                act = None
            if self._over.is_set():
                return
            if act is not None:
                self._do(act)
            self._look()
            due = time.monotonic() + self._interval_s

    def _do(self, act: Act) -> None:
        try:
            self.said = act(self._client)
        except MillClientError as error:
            self.said = str(error)

    def _look(self) -> None:
        try:
            self.latest = look(self._client)
            self.error = ""
        except MillClientError as error:
            self.error = str(error)
        except RuntimeError:
            if not self._over.is_set():  # the client was closed meanwhile
                raise
