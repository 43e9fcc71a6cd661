"""The services as processes, to be killed, stopped and started again."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil


class Process:
    """One service process and what it has said."""

    def __init__(
        self, service: str, environment: Mapping[str, str], log: Path, prefix: Sequence[str], arguments: Sequence[str]
    ) -> None:
        self.service = service
        self.log = log
        with log.open("wb") as output:
            self._child = subprocess.Popen(
                [*prefix, sys.executable, "-m", f"mill_{service}", *arguments],
                env=dict(environment),
                cwd=log.parent,  # where the oracle looks for what is left of it
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def pid(self) -> int:
        """The service's process id, as its workers' names have it."""
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._child.poll() is None

    def children(self) -> list[int]:
        """Process ids of all that it started."""
        with suppress(psutil.NoSuchProcess):
            return [child.pid for child in psutil.Process(self.pid).children(recursive=True)]
        return []

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._child.send_signal(number)

    def kill(self) -> None:
        """kill -9, and wait."""
        self._child.kill()
        self._child.wait()

    def stop(self, patience_s: float = 240.0) -> int:
        """SIGTERM, and the exit status."""
        if self.alive:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
        return self._child.wait(patience_s)

    @property
    def has_begun(self) -> bool:
        """Whether it has come so far as to say something. Before, a signal ends it at once."""
        return self.log.stat().st_size > 0

    def said(self, what: str) -> bool:
        """Whether its log holds `what`."""
        return what in self.log.read_text(errors="replace")


def below(folder: Path) -> list[str]:
    """Every process that works in `folder` or below: number and command line."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            cwd = Path(f"/proc/{process.pid}/cwd").readlink()
            if cwd.is_relative_to(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(f"{process.pid}: {' '.join(process.cmdline())[:200]}")
    return found
