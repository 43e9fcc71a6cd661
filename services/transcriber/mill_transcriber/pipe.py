"""JSON lines between an engine and its child process: the child's end."""

from __future__ import annotations

import json
import os
import re
import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Self


class Pipe:
    """Reads orders and says answers; each answer tells what this process has used."""

    def __init__(self, orders: BinaryIO, answers: BinaryIO) -> None:
        self._orders = orders
        self._answers = answers
        self._lock = threading.Lock()

    @classmethod
    def take_over(cls) -> Self:
        """Take standard input and output; what libraries print goes to standard error from now on."""
        answers = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        return cls(sys.stdin.buffer, answers)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line in self._orders:
            yield json.loads(line)

    def say(self, answer: str, **facts: Any) -> None:
        """Send one answer. Threads may say at the same time."""
        facts |= {"say": answer, "cpu_s": time.process_time(), "peak_memory": peak_memory()}
        line = json.dumps(facts).encode() + b"\n"
        with self._lock:
            self._answers.write(line)
            self._answers.flush()


def peak_memory() -> int:
    """The most memory this process has held since `forget_peak`, in bytes."""
    with suppress(OSError):
        status = Path("/proc/self/status").read_text()
        if found := re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE):
            return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forget_peak() -> None:
    """Start measuring anew. Source: proc(5), `clear_refs`."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
