"""A `mill up` in a process of its own, to be broken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mill_client import Client, MillClientError

MILL = Path(sys.executable).with_name("mill")
KEY = "an-admin-key-for-tests"
START_S = 180.0


class MillProcess:
    """A server process on a data folder."""

    def __init__(self, data: Path, port: int, **settings: str) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = data.parent / f"mill-{time.monotonic_ns()}.log"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("MILL_")},
            "MILL_ADMIN_KEY": KEY,
            "MILL_WHISPER_MODEL": "tiny-digits",
            **settings,
        }
        command = [str(MILL), "up", "--port", str(port), "--data", str(data)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.client = Client(self.url, KEY)

    def await_ready(self) -> None:
        """Wait until it takes work."""
        until = time.monotonic() + START_S
        while time.monotonic() < until and self.process.poll() is None:
            try:
                self.client.check_ready()
            except MillClientError:
                time.sleep(0.05)
            else:
                return
        pytest.fail(f"mill up did not become ready: {self.log.read_text()[-2000:]}")

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self.client.close()
        return self.process.returncode
