"""Whether a worker may claim, and why not."""

from __future__ import annotations

import structlog

from mill_common.settings import Settings
from mill_common.worker.breaker import Breaker
from mill_common.worker.scratch import Scratch
from mill_common.worker.wishes import Wishes

log = structlog.get_logger(__name__)


class Gate:
    """Closed while scratch space is short, after too many failures in a row, or while an operator says so."""

    def __init__(self, scratch: Scratch, settings: Settings, wishes: Wishes) -> None:
        self._scratch = scratch
        self._wishes = wishes
        self.breaker = Breaker(
            after=settings.pause_after_failures, pause_s=settings.pause_s, cap_s=settings.pause_cap_s
        )
        self._said: str | None = None

    def opens(self) -> bool:
        """Whether a task may be claimed now."""
        return self._wishes.pause() is None and self.breaker.allows() and self._scratch.shortage() is None

    def reason(self) -> str | None:
        """Why the worker pauses; None if it does not. Logs each pause and its end once: for one thread."""
        reason = self._wishes.pause() or self._scratch.shortage() or self.breaker.reason
        if reason and not self._said:
            log.warning("worker_paused", reason=reason)
        if self._said and not reason:
            log.info("worker_resumed", after=self._said)
        self._said = reason
        return reason
