"""Whether this process lives, and whether it can take work."""

from __future__ import annotations

import threading
import time
from typing import Literal

import structlog
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

from mill_api.openapi import operation
from mill_api.rate_limits import Rate
from mill_api.resources import Resources, resources
from mill_common.errors import MillError
from mill_common.migrations import is_current

log = structlog.get_logger(__name__)

STORE_CHECK_S = 10.0  # a check writes, reads and deletes an object


class NotReady(MillError):
    """This server cannot take work now."""

    code = "not_ready"
    status = 503


class Health(BaseModel):
    """This process answers."""

    status: Literal["healthy"] = "healthy"


class Ready(BaseModel):
    """Work is taken."""

    status: Literal["ready"] = "ready"


class StoreCheck:
    """Remembers for a while that storage answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._good_until = 0.0

    def run(self, wired: Resources) -> None:
        """Raise `StorageUnavailable` if storage did not answer lately and does not now."""
        with self._lock:
            if time.monotonic() >= self._good_until:
                wired.store.check()
                self._good_until = time.monotonic() + STORE_CHECK_S


@operation(tag="health", scope=None, rate=Rate.UNLIMITED, returns=Health)
def health(_request: Request) -> Health:
    """Say that this process answers."""
    return Health()


@operation(tag="health", scope=None, rate=Rate.UNLIMITED, returns=Health)
def livez(_request: Request) -> Health:
    """Say that this process answers."""
    return Health()


@operation(tag="health", scope=None, rate=Rate.UNLIMITED, returns=Ready, raises=[NotReady])
def readyz(request: Request) -> Ready:
    """Say whether work is taken: the database is there and current, and storage answers."""
    wired = resources(request)
    try:
        if not is_current(wired.database):
            raise NotReady("The database's schema is not the one this version needs; run `mill migrate`.")
        request.app.state.store_check.run(wired)
    except SQLAlchemyError as error:
        log.warning("database does not answer", error=type(error).__name__)
        raise NotReady("The database does not answer.") from None
    except MillError as error:
        if isinstance(error, NotReady):
            raise
        log.warning("storage does not answer", error=error.message)
        raise NotReady("Storage does not answer.") from None
    return Ready()
