"""Claims whose COMMIT was never answered: the worker holds their tasks and does not know of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import structlog

from mill_common.queue import TaskQueue

log = structlog.get_logger(__name__)


class Unanswered:
    """One worker's. For the thread that claims: nobody else may claim under the worker's name."""

    def __init__(self, queue: TaskQueue, *, queue_name: str, worker: str) -> None:
        self._queue = queue
        self._queue_name = queue_name
        self._worker = worker
        self._since: datetime | None = None
        self._suspected = False

    def suspect(self) -> None:
        """Note that a claim has failed, or seems to have."""
        self._suspected = True

    def settle(self, known: Collection[tuple[UUID, int]]) -> None:
        """Before a claim: hand back what is held without being `known`, if an earlier claim has failed.

        What an earlier process of the same name has left is none of ours: its end was a crash.
        """
        if self._since is None:
            self._since = self._queue.now()
        if not self._suspected:
            return
        if count := self._queue.hand_back_unanswered(self._queue_name, self._worker, self._since, known):
            log.warning("unanswered_claims_handed_back", tasks=count)
        self._suspected = False
