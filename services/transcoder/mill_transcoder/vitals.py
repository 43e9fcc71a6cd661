"""Signs of life of a child process."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from mill_common.errors import ChildStalled


class Clock:
    """When the child last showed a sign of getting on: media time, frames or bytes moved."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._seen: dict[str, object] = {}
        self._moved_at = time.monotonic()

    def note(self, sign: str, value: object) -> None:
        """A sign that stands still, however often it is repeated, is none."""
        if self._seen.get(sign) != value:
            self._seen[sign] = value
            self._moved_at = time.monotonic()

    def check(self, name: str) -> None:
        """Raises ChildStalled when nothing moved for too long."""
        if time.monotonic() - self._moved_at > self._limit_s:
            raise ChildStalled(f"{name} made no progress for {self._limit_s:g} seconds and was stopped")


def bytes_below(folder: Path) -> int:
    """The size of all files in a folder and below it."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(f"{parent}/{name}").st_size
    return total


def cpu_s(pid: int) -> float:
    """The CPU seconds that a running process has used; 0 where that cannot be told."""
    with suppress(OSError, IndexError):
        # A program's name may hold anything, so count from behind it.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def peak_memory(pid: int) -> int:
    """The most memory a running process has held, in bytes; 0 where that cannot be told.

    The kernel's account at a child's end begins with its parent's memory, which it shares until it runs its program.
    """
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
