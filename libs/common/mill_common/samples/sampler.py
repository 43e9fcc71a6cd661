"""Takes samples, and writes several at once."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable

from sqlalchemy import insert

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.machine import CpuMeter, content_of, disk_percent, memory_percent
from mill_common.models import SystemSample
from mill_common.settings import Settings

WRITE_S = 60.0
KEPT = 120  # samples that wait for a database which is gone; the oldest are dropped first


class Sampler:
    """One process's samples. `active` says how many tasks it runs."""

    def __init__(self, database: Database, settings: Settings, service: str, active: Callable[[], int]) -> None:
        self._database = database
        self._scratch = settings.scratch
        self._folders = (settings.scratch, settings.data_dir)
        self._meter = CpuMeter()
        self._active = active
        self._who = {"service": service, "host": socket.gethostname(), "pid": os.getpid()}
        self._waiting: list[tuple[float, dict[str, object]]] = []  # with when they were taken
        self._write_at = 0.0

    def sample(self) -> None:
        """Take one, and write those that wait about once a minute, the first at once."""
        self._waiting = [*self._waiting, (time.monotonic(), self._look())][-KEPT:]
        if time.monotonic() >= self._write_at:
            self.write()
            self._write_at = time.monotonic() + WRITE_S

    def write(self) -> None:
        """Write what waits."""
        if self._waiting:
            self._database.run(lambda session: session.execute(insert(SystemSample).values(self._rows())))
            self._waiting = []

    def _rows(self) -> list[dict[str, object]]:
        now = time.monotonic()
        return [{"taken_at": db_now(taken - now), **sample} for taken, sample in self._waiting]

    def _look(self) -> dict[str, object]:
        return {
            **self._who,
            "cpu_percent": self._meter.percent(),
            "memory_percent": memory_percent(),
            "disk_percent": max(disk_percent(folder) for folder in self._folders),
            "active_tasks": self._active(),
            "scratch_bytes": content_of(self._scratch).size,
        }
