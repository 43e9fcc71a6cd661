"""Servers that the fault suite may break: they come back on the same port with what they had committed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import closing
from pathlib import Path

import psycopg2
import redis
from servers import S3, Postgres, Redis

from mill_common.database import Database
from mill_common.migrations import migrate


class CrashingPostgres(Postgres):
    """PostgreSQL that keeps what it has committed when its processes die."""

    def start(self) -> CrashingPostgres:
        super().start()
        # The other tests' servers answer a COMMIT before it is written, which a crash would make a lie.
        self._execute("ALTER ROLE mill SET synchronous_commit = on")
        return self

    def crash(self) -> None:
        """`pg_ctl stop -m immediate`: every server process ends where it stands."""
        while self._processes:
            process = self._processes.pop()
            os.kill(process.pid, signal.SIGQUIT)
            process.stop()

    def wait_until_idle(self, url: str) -> None:
        """Wait until nobody but us is connected to the database at `url`."""
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            for _ in range(600):
                cursor.execute(others)
                if (cursor.fetchone() or (0,))[0] == 0:
                    return
                time.sleep(0.05)
        raise AssertionError("somebody stays connected to the database")


class Grounds:
    """One of each server, for the whole suite."""

    def __init__(self) -> None:
        self.postgres = CrashingPostgres()
        self.redis = Redis()
        self.s3 = S3()

    def start(self) -> None:
        """Start those that do not run, and let Redis write."""
        for server in (self.postgres, self.redis, self.s3):
            if not server._processes:
                server.start()
        with redis.Redis.from_url(self.redis.url) as client:
            client.replicaof("NO", "ONE")

    def close(self) -> None:
        """Stop them all."""
        for server in (self.postgres, self.redis, self.s3):
            server.close()


def migrated(url: str) -> None:
    """Give a database its schema."""
    with closing(Database(url)) as database:
        migrate(database)


class Mount:
    """A folder on a file system of its own, of a few bytes."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)

    def resize(self, size: int) -> None:
        """Give it `size` bytes."""
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)

    def close(self) -> None:
        """Take it away."""
        subprocess.run(["umount", "-l", str(self.folder)], check=True)
