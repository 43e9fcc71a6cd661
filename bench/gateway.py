"""The gateway alone, on PostgreSQL, to measure from outside."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from server_process import free_port
from servers import Postgres

from mill_common.database import Database
from mill_common.migrations import migrate


@dataclass(frozen=True)
class Gateway:
    """A running gateway and its database."""

    process: psutil.Process
    host: str
    port: int
    key: str
    database: Database

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}"

    def memory(self) -> int:
        """Resident memory in bytes."""
        return int(self.process.memory_info().rss)


@contextmanager
def gateway(folder: Path, **settings: str) -> Iterator[Gateway]:
    """A gateway on a free port and a fresh database, with an admin key."""
    with Postgres() as postgres, postgres.database() as url:
        with closing(Database(url)) as database:
            migrate(database)
        with gateway_on(url, folder, **settings) as running:
            yield running


@contextmanager
def gateway_on(url: str, folder: Path, **settings: str) -> Iterator[Gateway]:
    """A gateway on a free port and a migrated database, with an admin key."""
    with closing(Database(url)) as database:
        port, key = free_port(), secrets.token_urlsafe(32)
        environment = {**os.environ, "MILL_ADMIN_KEY": key, "MILL_DATABASE_URL": url, "MILL_DATA_DIR": str(folder)}
        with (folder / "gateway.log").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "mill_api", "--port", str(port)],
                env=environment | settings,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        try:
            running = Gateway(psutil.Process(child.pid), "127.0.0.1", port, key, database)
            _await_ready(running, child)
            yield running
        finally:
            child.send_signal(signal.SIGTERM)
            child.wait(60)


def _await_ready(running: Gateway, child: subprocess.Popen[bytes]) -> None:
    while child.poll() is None:
        try:
            if httpx.get(f"{running.url}/readyz").is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the gateway ended with {child.returncode}")
