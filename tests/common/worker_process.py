"""`python -m mill_transcoder` in processes of their own, on real servers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from waiting import WAIT_S


class Workplace:
    """What worker processes share: servers, storage, and who was started."""

    def __init__(self, folder: Path, postgres_url: str, redis_url: str, storage_url: str) -> None:
        self.folder = folder
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
        self._environment = {
            **kept,
            "MILL_DATABASE_URL": postgres_url,
            "MILL_BROKER_URL": redis_url,
            "MILL_STORAGE_URL": storage_url,
            "MILL_DATA_DIR": str(folder),
            "MILL_HEARTBEAT_S": "0.1",
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str, service: str = "transcoder", **settings: Any) -> subprocess.Popen[bytes]:
        """Start a worker that goes on by itself."""
        process = subprocess.Popen(
            [sys.executable, "-m", f"mill_{service}", *arguments],
            env=self._with(settings),
            stdin=subprocess.DEVNULL,
        )
        self._started.append(process)
        return process

    def ask(self, *arguments: str, service: str = "transcoder", **settings: Any) -> str:
        """Run a command to its end, which must be a good one; what it printed."""
        command = [sys.executable, "-m", f"mill_{service}", *arguments]
        done = subprocess.run(
            command, env=self._with(settings), capture_output=True, text=True, timeout=WAIT_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refuses(self, *arguments: str, **settings: Any) -> tuple[int, str]:
        """Run a command that is to fail; its exit status and what it complains of."""
        command = [sys.executable, "-m", "mill_transcoder", *arguments]
        done = subprocess.run(
            command, env=self._with(settings), capture_output=True, text=True, timeout=WAIT_S, check=False
        )
        return done.returncode, done.stderr

    def close(self) -> None:
        """End what still runs."""
        for process in self._started:
            process.kill()
            process.wait()

    def _with(self, settings: dict[str, Any]) -> dict[str, str]:
        return {**self._environment, **{f"MILL_{name.upper()}": str(value) for name, value in settings.items()}}


class Gatekeeper:
    """An ffprobe that says when it is asked, and answers once the gate is opened."""

    def __init__(self, folder: Path, ffprobe: str) -> None:
        self.path = folder / "ffprobe"
        self._asked, self._gate = folder / "asked", folder / "gate"
        self.path.write_text(
            "#!/bin/sh\n"
            f'[ "$1" = -version ] || {{ touch {self._asked}; while [ ! -e {self._gate} ]; do sleep 0.05; done; }}\n'
            f'exec {ffprobe} "$@"\n'
        )
        self.path.chmod(0o755)

    def asked(self) -> bool:
        """Whether somebody waits at the gate."""
        return self._asked.exists()

    def open(self) -> None:
        """Let everybody in."""
        self._gate.touch()


def terminate(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to stop, without waiting for it."""
    process.send_signal(signal.SIGTERM)
