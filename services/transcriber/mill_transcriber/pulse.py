"""Signs of life of a child process."""

from __future__ import annotations

import time
from contextlib import suppress

import psutil

_WORK_S = 0.1  # processor time that a process which waits for ever never takes


class Pulse:
    """For how long a process has shown no life. An answer is life; so is work, where working takes processor time."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.on_cpu = True  # False: a device works, and waiting for it may take processor time too
        self._since = time.monotonic()
        self._cpu_s = 0.0

    def beat(self) -> None:
        """The process has answered."""
        self._since = time.monotonic()

    def still_s(self) -> float:
        """Seconds since the last sign of life."""
        with suppress(psutil.Error):
            times = psutil.Process(self.pid).cpu_times()
            if self.on_cpu and times.user + times.system >= self._cpu_s + _WORK_S:
                self._cpu_s = times.user + times.system
                self.beat()
        return time.monotonic() - self._since
