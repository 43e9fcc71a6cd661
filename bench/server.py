"""A `mill up` of its own to measure, from outside."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from mill_client import Client, MillClientError


class Server:
    """A running server."""

    def __init__(self, process: psutil.Process, client: Client, key: str) -> None:
        self.process = process
        self.client = client
        self.key = key

    def cpu_s(self) -> float:
        """CPU seconds of the server and of the children that it has waited for."""
        times = self.process.cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)

    def memory(self) -> int:
        """Resident memory in bytes, without children."""
        return int(self.process.memory_info().rss)


@contextmanager
def server(folder: Path, **settings: str) -> Iterator[Server]:
    """A server on a free port, with its data below `folder`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    key = secrets.token_urlsafe(32)
    mill = Path(sys.executable).with_name("mill")
    command = [str(mill), "up", "--port", str(port), "--data", str(folder / "data")]
    environment = {**os.environ, "MILL_ADMIN_KEY": key, "MILL_WHISPER_MODEL": "tiny-digits", **settings}
    with (folder / "mill.log").open("wb") as log:
        child = subprocess.Popen(command, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        with Client(f"http://127.0.0.1:{port}", key) as client:
            _await_ready(client, child)
            yield Server(psutil.Process(child.pid), client, key)
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(60)


def _await_ready(client: Client, child: subprocess.Popen[bytes]) -> None:
    while child.poll() is None:
        try:
            client.check_ready()
        except MillClientError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"mill up ended with {child.returncode}")
