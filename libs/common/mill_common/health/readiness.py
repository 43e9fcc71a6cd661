"""Whether a service can take work now: asked every few seconds, so it asks little."""

from __future__ import annotations

import threading
import time

import structlog
from sqlalchemy.exc import SQLAlchemyError

from mill_common.errors import MillError
from mill_common.migrations import is_current
from mill_common.resources import Resources

log = structlog.get_logger(__name__)

STORE_CHECK_S = 10.0  # a check writes, reads and deletes an object


class Readiness:
    """Asks the database every time, and storage unless it answered lately."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._lock = threading.Lock()
        self._looked_at = self._good_until = 0.0
        self._error: MillError | None = None

    def fault(self) -> str | None:
        """What is missing, as a sentence for people; None if nothing is."""
        try:
            if not is_current(self._resources.database):
                return "The database's schema is not the one this version needs; run `mill migrate`."
            self._check_store()
        except SQLAlchemyError as error:
            log.warning("database does not answer", error=type(error).__name__)
            return "The database does not answer."
        except MillError as error:
            log.warning("storage does not answer", error=error.message)
            return "Storage does not answer."
        return None

    def _check_store(self) -> None:
        asked = time.monotonic()
        with self._lock:
            # Who waited while another looked is told what that found: one that hangs would else be asked in turn.
            if asked >= max(self._good_until, self._looked_at):
                self._look()
            if self._error is not None:
                raise self._error

    def _look(self) -> None:
        try:
            self._resources.store.check()
        except MillError as error:
            self._error = error
        else:
            self._error = None
            self._good_until = time.monotonic() + STORE_CHECK_S
        self._looked_at = time.monotonic()
