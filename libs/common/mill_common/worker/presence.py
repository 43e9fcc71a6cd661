"""A worker's row: who it is, what it can do, how it is, and when it was last heard of."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any
from uuid import UUID

import psutil
import structlog
from sqlalchemy import delete, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.workers import Worker, WorkerState

log = structlog.get_logger(__name__)

KEPT_S = 7 * 86400.0  # how long the row of a worker that is no more is kept
State = tuple[WorkerState, str | None]


def worker_name(service: str) -> str:
    """A name that no other living worker has: host, service, process."""
    return f"{socket.gethostname()}:{service}:{os.getpid()}"


class Presence:
    """Keeps one worker's row. A database that does not answer costs a log line."""

    def __init__(
        self,
        database: Database,
        *,
        name: str,
        service: str,
        queue: str,
        slots: int,
        heartbeat_s: float,
        capability: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        self._database = database
        self._facts: dict[str, Any] = {"name": name, "service": service, "queue": queue, "slots": slots}
        self._heartbeat_s = heartbeat_s
        self._capability = capability
        self._can: dict[str, Any] | None = None
        self._id: UUID | None = None
        self._written: State | None = None
        self._due = 0.0

    def beat(self, state: WorkerState, reason: str | None = None) -> None:
        """Say that the worker lives and how it is, when that is due or has changed. Called about once a second."""
        if (state, reason) == self._written and time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._heartbeat_s
        if self._tell(state, reason):
            self._written = (state, reason)

    def close(self) -> None:
        """Say that the worker has stopped."""
        if self._id is not None:
            self._tell(WorkerState.STOPPED, None, stopped_at=db_now())

    def _tell(self, state: WorkerState, reason: str | None, **values: Any) -> bool:
        try:
            row = self._id or self._introduce()
            written = {"state": state, "reason": reason and reason[:255], "heartbeat_at": db_now(), **values}
            known = update(Worker).where(col(Worker.id) == row).values(**written).returning(col(Worker.id))
            # A row that is gone was taken for a dead worker's: the next beat writes a new one.
            self._id = self._database.run(lambda session: session.scalar(known))
        except Exception as error:  # noqa: BLE001 - the same thread keeps the leases alive
            log.warning("worker_row_not_written", error=type(error).__name__)
            return False
        return self._id is not None

    def _introduce(self) -> UUID:
        # Asked once, and before the transaction: programs are run to find out.
        self._can = {**_machine(), **self._skills()} if self._can is None else self._can
        row = Worker(
            **self._facts,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=version("mill-common"),
            capability=self._can,
        )
        self._database.run(lambda session: _take_the_place(session, row))
        return row.id

    def _skills(self) -> Mapping[str, Any]:
        try:
            return self._capability() if self._capability else {}
        except Exception as error:  # noqa: BLE001 - a worker that cannot say what it can do can still do it
            log.warning("capability_unknown", error=type(error).__name__)
            return {}


def _take_the_place(session: Session, row: Worker) -> None:
    # A process number is used again: whoever had this name before is dead.
    close_workers(session, name=row.name)
    session.execute(delete(Worker).where(col(Worker.heartbeat_at) < db_now(-KEPT_S)))
    session.add(row)


def close_workers(session: Session, *, name: str | None = None) -> None:
    """Close the open rows of workers known to be gone: those of this name, or all."""
    open_rows = update(Worker).where(col(Worker.stopped_at).is_(None))
    if name is not None:
        open_rows = open_rows.where(col(Worker.name) == name)
    session.execute(open_rows.values(state=WorkerState.STOPPED, reason=None, stopped_at=db_now()))


def _machine() -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"cores": cores, "memory": psutil.virtual_memory().total}
