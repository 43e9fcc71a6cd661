"""A worker that keeps failing pauses, or it would use up the attempts of every task there is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from uuid import UUID

from mill_common.errors import PermanentError, Stopped


class Breaker:
    """Counts failures in a row, of different tasks, that the tasks are not to blame for.

    After `after` of them the worker pauses for `pause_s` seconds, and then tries one task. If that fails as well, it
    pauses for twice as long, up to `cap_s`; a success ends it.
    """

    def __init__(
        self, *, after: int, pause_s: float, cap_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._after = after
        self._pause_s = pause_s
        self._cap_s = cap_s
        self._clock = clock
        self._failed: set[UUID] = set()
        self._code = ""
        self._pauses = 0  # since the last success
        self._until = 0.0
        self._trial: UUID | None = None
        self._lock = threading.Lock()

    @property
    def reason(self) -> str | None:
        """Why the worker pauses; None if it does not."""
        with self._lock:
            if not self._pauses:
                return None
            if self._trial is not None:
                return f"trying one task after {len(self._failed)} failures in a row, the last {self._code}"
            return f"{len(self._failed)} tasks failed in a row, the last with {self._code}"

    def allows(self) -> bool:
        """Whether a task may be claimed now."""
        with self._lock:
            return not self._pauses or (self._trial is None and self._clock() >= self._until)

    def began(self, task_id: UUID) -> None:
        """Note a claim."""
        with self._lock:
            if self._pauses:
                self._trial = task_id

    def ended(self, task_id: UUID, error: Exception | None) -> None:
        """Note how an attempt ended. Errors that the task is to blame for, or nobody, say nothing of the worker."""
        with self._lock:
            on_trial = task_id == self._trial
            if on_trial:
                self._trial = None
            if error is None:
                self._failed.clear()
                self._pauses = 0
            elif not isinstance(error, PermanentError | Stopped):
                self._count(task_id, error, on_trial=on_trial)

    def _count(self, task_id: UUID, error: Exception, *, on_trial: bool) -> None:
        self._failed.add(task_id)
        self._code = str(getattr(error, "code", type(error).__name__))
        if on_trial or (not self._pauses and len(self._failed) >= self._after):
            self._until = self._clock() + min(self._cap_s, self._pause_s * 2.0**self._pauses)
            self._pauses = min(self._pauses + 1, 32)
