"""What operators want of a worker, as the worker learns of it."""

from __future__ import annotations

import threading
import time

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col

from mill_common.database import Database
from mill_common.models import PausedQueue
from mill_common.workers import Worker, WorkerWish

log = structlog.get_logger(__name__)

LOOK_S = 1.0


class Wishes:
    """Looks every `LOOK_S` seconds at most, however often it is asked. A database that is away changes nothing."""

    def __init__(self, database: Database, *, name: str, queue: str) -> None:
        self._database = database
        self._name = name
        self._queue = queue
        self._lock = threading.Lock()
        self._due = 0.0
        self._paused: str | None = None
        self._wish: WorkerWish | None = None

    def pause(self) -> str | None:
        """Why the worker is to wait; None if it is not."""
        self._look()
        return "paused by an operator" if self._wish is WorkerWish.PAUSE else self._paused

    def drains(self) -> bool:
        """Whether the worker is to come to an end."""
        self._look()
        return self._wish is WorkerWish.DRAIN

    def _look(self) -> None:
        with self._lock:
            if time.monotonic() < self._due:
                return
            self._due = time.monotonic() + LOOK_S
            try:
                with self._database.read() as session:
                    self._read(session)
            except SQLAlchemyError as error:
                log.warning("wishes_unknown", error=type(error).__name__)

    def _read(self, session: Session) -> None:
        paused = session.scalar(select(col(PausedQueue.queue)).where(col(PausedQueue.queue) == self._queue))
        mine = select(col(Worker.wish)).where(col(Worker.name) == self._name, col(Worker.stopped_at).is_(None))
        self._paused = f"the queue {paused} is paused" if paused else None
        self._wish = session.scalar(mine)
