"""Takes samples, and writes several at once."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import insert

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
        self._folder = settings.scratch
        self._meter = CpuMeter()
        self._active = active
        self._who = {"service": service, "host": socket.gethostname(), "pid": os.getpid()}
        self._waiting: list[dict[str, object]] = []
        self._write_at = 0.0

    def sample(self) -> None:
        """Take one, and write those that wait about once a minute, the first at once."""
        self._waiting = [*self._waiting, self._look()][-KEPT:]
        if time.monotonic() >= self._write_at:
            self.write()
            self._write_at = time.monotonic() + WRITE_S

    def write(self) -> None:
        """Write what waits."""
        if self._waiting:
            self._database.run(lambda session: session.execute(insert(SystemSample), self._waiting))
            self._waiting = []

    def _look(self) -> dict[str, object]:
        return {
            **self._who,
            # This machine's clock: the samples are of its past, and decide nothing.
            "taken_at": datetime.now(UTC),
            "cpu_percent": self._meter.percent(),
            "memory_percent": memory_percent(),
            "disk_percent": disk_percent(self._folder),
            "active_tasks": self._active(),
            "scratch_bytes": content_of(self._folder).size,
        }
