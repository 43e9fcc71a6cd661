"""The real servers that tests run on: PostgreSQL, Redis and S3 (OpenStack Swift).

Each is a context manager with a `url` in the form its `MILL_…_URL` setting takes. `stop`, `stop(kill=True)` and `start`
make an outage. Session fixtures in `conftest.py` share one of each; a test that breaks a server starts its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import psycopg2
import redis
from psycopg2 import sql
from server_process import Server, ServerBroken, ServerMissing, free_port, program
from swift_s3 import S3

__all__ = ["S3", "Postgres", "Redis", "ServerBroken", "ServerMissing"]


class Postgres(Server):
    """PostgreSQL without durability: fast, and gone with its folder."""

    def __init__(self) -> None:
        self._bin = _postgres_bin()
        self.user = "postgres" if os.getuid() == 0 else None  # postgres refuses to run as root
        super().__init__("postgres")
        self.port = free_port()
        self._numbers = count(1)
        self._templates: set[str] = set()

    @property
    def url(self) -> str:
        """The maintenance database; tests take a fresh one from `database`."""
        return self._url("postgres")

    @contextmanager
    def database(self, template: str | None = None, prepare: Callable[[str], None] | None = None) -> Iterator[str]:
        """The URL of a fresh database, dropped afterwards.

        With `template`, `prepare(url)` fills a database of that name once per server, and each fresh one is its copy.
        `prepare` must close its connections.
        """
        if template is not None and template not in self._templates:
            self._make_template(template, prepare)
        name = f"test_{next(self._numbers)}"
        self._execute("CREATE DATABASE {} TEMPLATE {}", name, template or "template0")
        try:
            yield self._url(name)
        finally:
            self._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _make_template(self, name: str, prepare: Callable[[str], None] | None) -> None:
        self._execute("DROP DATABASE IF EXISTS {}", name)  # what a failed `prepare` left
        self._execute("CREATE DATABASE {} TEMPLATE template0", name)
        if prepare is not None:
            prepare(self._url(name))
        self._templates.add(name)

    def _prepare(self) -> None:
        argv = [self._bin / "initdb", "--pgdata", self.folder / "data", "--username=mill", "--auth=trust"]
        made = subprocess.run(
            [*map(str, argv), "--encoding=UTF8", "--locale=C", "--lc-ctype=C.UTF-8", "--no-sync"],
            user=self.user,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise ServerBroken(made.stdout + made.stderr)

    def _launch(self) -> None:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_connections": 200,
            "shared_buffers": "64MB",
            "timezone": "UTC",
        }
        argv: list[str | Path] = [self._bin / "postgres", "-D", self.folder / "data"]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        # SIGINT is its fast shutdown; SIGTERM would wait for every client to leave.
        self._run(argv, "postgres.log", stop_signal=signal.SIGINT).wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            self._execute("SELECT 1")
        except psycopg2.OperationalError:
            return False
        return True

    def _execute(self, statement: str, *names: str) -> None:
        with closing(psycopg2.connect(self.url, connect_timeout=5)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _url(self, database: str) -> str:
        return f"postgresql://mill@127.0.0.1:{self.port}/{database}"


class Redis(Server):
    """Redis that keeps nothing on disk."""

    DATABASES = 4096

    def __init__(self) -> None:
        self._program = program("redis-server")
        super().__init__("redis")
        self.port = free_port()
        self._numbers = count(1)

    @property
    def url(self) -> str:
        """Database 0; tests take an empty one from `database`."""
        return f"redis://127.0.0.1:{self.port}/0"

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of an empty database, emptied afterwards. Pub/sub channels are shared by all of them."""
        url = f"redis://127.0.0.1:{self.port}/{next(self._numbers) % self.DATABASES}"
        try:
            yield url
        finally:
            with redis.Redis.from_url(url) as client:
                client.flushdb()

    def _launch(self) -> None:
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "dir": str(self.folder),
            "databases": str(self.DATABASES),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
        }
        argv: list[str | Path] = [self._program]
        for name, value in options.items():
            argv += [f"--{name}", value]
        self._run(argv, "redis.log").wait_until(self._answers)

    def _answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.url, socket_timeout=5) as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False


def _postgres_bin() -> Path:
    """The newest installed PostgreSQL: Debian keeps its programs out of PATH."""
    installed = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    newest_first = sorted(installed, key=lambda path: int(path.parent.name), reverse=True)
    return program("initdb", *newest_first).parent
