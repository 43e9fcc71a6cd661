"""How busy and how full this machine is."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil


class CpuMeter:
    """Shares of all cores' time, each since the question before. The first is since the meter was made.

    Asked again within `least_s` seconds, a meter says the same: a shorter while tells nothing.
    """

    def __init__(self, least_s: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._least_s = least_s
        self._before = psutil.cpu_times()
        self._asked_at = time.monotonic()
        self._percent = 0.0

    def percent(self) -> float:
        """How much of the time all cores were busy, in percent."""
        with self._lock:
            if time.monotonic() - self._asked_at >= self._least_s:
                self._measure()
            return self._percent

    def _measure(self) -> None:
        before, self._before = self._before, psutil.cpu_times()
        self._asked_at = time.monotonic()
        busy, total = (_time(self._before, part) - _time(before, part) for part in (True, False))
        self._percent = round(100.0 * busy / total, 1) if total > 0 else 0.0


def _time(times: tuple[float, ...], busy: bool) -> float:
    # A guest's time is counted in its host's already.
    spent = dict(zip(times._fields, times, strict=True))  # type: ignore[attr-defined]  # psutil gives named tuples
    spent = {name: seconds for name, seconds in spent.items() if not name.startswith("guest")}
    return sum(seconds for name, seconds in spent.items() if not busy or name not in ("idle", "iowait"))


def memory_percent() -> float:
    """How much of the memory is used."""
    return float(psutil.virtual_memory().percent)


def disk_percent(folder: Path) -> float:
    """How full the file system is on which `folder` lies, or will lie."""
    usage = shutil.disk_usage(existing(folder))
    return round(100.0 * usage.used / (usage.used + usage.free), 1) if usage.used + usage.free else 0.0


def existing(folder: Path) -> Path:
    """The folder itself, or the nearest above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


@dataclass(frozen=True)
class Content:
    """What lies in a folder."""

    files: int
    size: int  # bytes
    old_files: int  # not written to for a day


OLD_S = 24 * 3600.0


def content_of(folder: Path) -> Content:
    """Go through a folder, whatever vanishes meanwhile."""
    files, size, old = 0, 0, 0
    before = time.time() - OLD_S
    for changed_at, length in _files(folder):
        files += 1
        size += length
        old += changed_at < before
    return Content(files, size, old)


def _files(folder: Path) -> Iterator[tuple[float, int]]:
    for path in folder.rglob("*") if folder.is_dir() else ():
        try:
            stat = path.lstat()
        except OSError:
            continue
        if not path.is_dir():
            yield stat.st_mtime, stat.st_size
