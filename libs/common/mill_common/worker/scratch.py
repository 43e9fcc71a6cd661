"""The folder in which attempts keep their files: is there room, and what have the dead left?"""

from __future__ import annotations

import re
import shutil
import threading
import time
from pathlib import Path
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from mill_common.database import Database
from mill_common.models import Task
from mill_common.queue.predicates import running

log = structlog.get_logger(__name__)

_FOLDER = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})-([0-9]+)")
_AT_ONCE = 500
_FRESH_S = 0.5  # asking the file system before each of many small tasks would cost more than the answer is worth
Claimed = tuple[UUID, int]  # task and epoch


class Scratch:
    """A worker's scratch folder; other workers may share it."""

    def __init__(self, folder: Path, *, enough: int) -> None:
        self._folder = folder
        self._enough = enough
        self._found: str | None = None
        self._look_at = 0.0

    def folder_of(self, task_id: UUID, epoch: int) -> Path:
        """Where this attempt, and no other, keeps its files."""
        return self._folder / f"{task_id}-{epoch}"

    def shortage(self) -> str | None:
        """Why there is no room for another attempt; None if there is. As of half a second ago, at the most."""
        if time.monotonic() >= self._look_at:
            self._found = self._measure()
            self._look_at = time.monotonic() + _FRESH_S
        return self._found

    def _measure(self) -> str | None:
        try:
            free = shutil.disk_usage(_existing(self._folder)).free
        except OSError as error:
            return f"scratch space cannot be looked at: {error.strerror}"
        if free >= self._enough:
            return None
        # In whole units, or the reason would change with every byte.
        return f"scratch space is short: less than {self._enough / 2**30:.3g} GiB are free"

    def sweep(self, database: Database, stop: threading.Event) -> int:
        """Remove the folders of attempts that nobody runs any more. Returns how many; ends early on `stop`."""
        found = self._folders()
        removed = 0
        for first in range(0, len(found), _AT_ONCE):
            some = found[first : first + _AT_ONCE]
            living = _living(database, some)
            for task_id, epoch in some:
                if stop.is_set():
                    return removed
                if (task_id, epoch) not in living:
                    shutil.rmtree(self.folder_of(task_id, epoch), ignore_errors=True)
                    removed += 1
        return removed

    def _folders(self) -> list[Claimed]:
        names = [path.name for path in self._folder.iterdir()] if self._folder.is_dir() else []
        matches = [match for name in names if (match := _FOLDER.fullmatch(name))]
        return [(UUID(match[1]), int(match[2])) for match in matches]

    def sweep_for_ever(self, database: Database, stop: threading.Event, every_s: float) -> None:
        """Sweep now and every `every_s` seconds, until `stop`."""
        while not stop.is_set():
            try:
                if removed := self.sweep(database, stop):
                    log.info("scratch_swept", folders=removed)
            except (SQLAlchemyError, OSError) as error:
                log.warning("scratch_not_swept", error=type(error).__name__)
            stop.wait(every_s)


def _living(database: Database, found: list[Claimed]) -> set[Claimed]:
    # A folder is made after its claim was committed. So one that was found, and whose claim does not hold, is dead.
    of_tasks = select(col(Task.id), col(Task.epoch)).where(running(), col(Task.id).in_([task for task, _ in found]))
    with database.read() as session:
        return {(task_id, epoch) for task_id, epoch in session.execute(of_tasks)}


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())
