"""When each no-op task ran: a file that every worker process appends to. Also imported by the peers' programs.

One small write a task, the same for all, so that what is timed has nothing to do with any system's own bookkeeping.
"""

from __future__ import annotations

import os
import struct
import time
from collections import Counter
from pathlib import Path

MARKS = "BENCH_MARKS"  # the environment variable with the file's path
_MARK = struct.Struct("=di")  # seconds, process


def mark() -> None:
    """Note that a task runs now, in this process."""
    file = os.open(os.environ[MARKS], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, _MARK.pack(time.time(), os.getpid()))
    finally:
        os.close(file)


def count(path: Path) -> int:
    """How many tasks have run."""
    return path.stat().st_size // _MARK.size if path.exists() else 0


def rate(path: Path) -> float:
    """Tasks a second, from when every process had run its first task until the last task of all."""
    found: list[tuple[float, int]] = sorted(_MARK.iter_unpack(path.read_bytes()))
    begun = max(min(at for at, process in found if process == one) for one in {process for _, process in found})
    ended = found[-1][0]
    return sum(begun < at for at, _ in found) / (ended - begun)


def by_process(path: Path) -> Counter[int]:
    """How many tasks each process ran."""
    return Counter(process for _, process in _MARK.iter_unpack(path.read_bytes()))
