"""Watchdogs as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from common.desk import Desk
from sqlalchemy import select, update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.queue import Policy
from mill_common.runs import Schedule, ScheduledRun


class Kennel:
    """Starts watchdogs, and looks at what they write."""

    def __init__(self, postgres_url: str, redis_url: str, folder: Path, **settings: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
        self.environment = {
            **kept,
            "MILL_DATA_DIR": str(folder),
            "MILL_DATABASE_URL": postgres_url,
            "MILL_BROKER_URL": redis_url,
            "MILL_SWEEP_S": "0.05",
            **settings,
        }
        self.database = Database(postgres_url)
        self.desk = Desk(self.database, Policy(resend_after_s=0.01))
        self._started: list[subprocess.Popen[bytes]] = []

    def watchdog(self, **settings: str) -> subprocess.Popen[bytes]:
        """A watchdog that runs until the test ends."""
        process = subprocess.Popen(
            [sys.executable, "-m", "mill_watchdog"],
            env={**self.environment, **settings},
            stdin=subprocess.DEVNULL,
        )
        self._started.append(process)
        return process

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A watchdog that does one thing and ends."""
        argv = [sys.executable, "-m", "mill_watchdog", *arguments]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False, timeout=120)

    def result(self, *arguments: str) -> dict[str, Any]:
        """What such a watchdog prints last."""
        done = self.command(*arguments)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found

    def let_come(self, name: str, seconds_ago: float = 1.0) -> None:
        """Let a schedule's time come."""
        with self.database.write() as session:
            come = update(Schedule).where(col(Schedule.name) == name).values(next_at=db_now(-seconds_ago))
            assert session.execute(come.returning(col(Schedule.name))).first() is not None

    def schedules(self) -> dict[str, Schedule]:
        """Every schedule by name."""
        with self.database.read() as session:
            return {row.name: row for row in session.scalars(select(Schedule))}

    def runs(self, name: str) -> list[ScheduledRun]:
        """A schedule's runs, the first fire first."""
        with self.database.read() as session:
            of_schedule = select(ScheduledRun).where(col(ScheduledRun.schedule) == name)
            return list(session.scalars(of_schedule.order_by(col(ScheduledRun.fire_at))))

    def close(self) -> None:
        """End what runs."""
        for process in self._started:
            process.kill()
            process.wait()
        self.database.close()
