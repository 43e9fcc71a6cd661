"""Workers as their own rows tell: who lives, who pauses, and what does not work on their machines."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.health.report import Finding, Report, Status
from mill_common.workers import Worker, WorkerState

SILENT_S = 60.0  # six heartbeats
FORGOTTEN_S = 3600.0  # a worker that was lost so long ago is nobody's news
KINDS = ("transcoder", "transcriber")
TOLD = ("ffmpeg", "packager", "model", "scratch")  # what only a worker's own machine knows


@dataclass(frozen=True)
class Seen:
    """An open row, and how long ago its worker was heard of."""

    name: str
    service: str
    state: WorkerState
    reason: str | None
    health: Mapping[str, Any] | None
    silent_s: float

    @property
    def lives(self) -> bool:
        """Whether it was heard of lately."""
        return self.silent_s < SILENT_S


def workers_finding(database: Database, service: str) -> Finding:
    """Whether somebody does this kind of work."""
    seen = seen_workers(database, service)
    alive = [worker for worker in seen if worker.lives]
    working = [worker for worker in alive if worker.state is WorkerState.RUNNING]
    details = {
        "alive": len(alive),
        "working": len(working),
        "lost": len(seen) - len(alive),
        "reasons": sorted({worker.reason for worker in alive if worker.reason}),
    }
    if not alive:
        return Finding(status=Status.CRITICAL, message=f"no {service} is alive", details=details)
    if not working:
        return Finding(status=Status.CRITICAL, message=f"no {service} takes work", details=details)
    if len(working) < len(seen):
        message = f"{len(working)} of {len(seen)} take work"
        return Finding(status=Status.DEGRADED, message=message, details=details)
    return Finding(status=Status.HEALTHY, message=f"{len(working)} take work", details=details)


def told_finding(database: Database, component: str) -> Finding:
    """What living workers found of `component` on their machines, each when it last looked."""
    told = {
        worker.name: worker.health[component]
        for worker in seen_workers(database)
        if worker.lives and worker.health and component in worker.health
    }
    if not told:
        return Finding(status=Status.WARNING, message="no worker has told")
    statuses = [Status(found["status"]) for found in told.values()]
    ill = {name: found["message"] for name, found in told.items() if found["status"] != Status.HEALTHY}
    details = {"workers": len(told), "ill": ill}
    if not ill:
        return Finding(status=Status.HEALTHY, message=f"works on {len(told)} workers", details=details)
    return Finding(status=_of_many(statuses), message=next(iter(ill.values())), details=details)


def _of_many(statuses: Sequence[Status]) -> Status:
    if all(status is Status.CRITICAL for status in statuses):
        return Status.CRITICAL
    return Status.DEGRADED if Status.CRITICAL in statuses or Status.DEGRADED in statuses else Status.WARNING


def seen_workers(database: Database, service: str | None = None) -> list[Seen]:
    """Open rows of workers that were heard of within the hour."""
    columns = (Worker.name, Worker.service, Worker.state, Worker.reason, Worker.health, Worker.heartbeat_at)
    rows = select(*map(col, columns), db_now()).where(
        col(Worker.stopped_at).is_(None), col(Worker.heartbeat_at) > db_now(-FORGOTTEN_S)
    )
    if service is not None:
        rows = rows.where(col(Worker.service) == service)
    with database.read() as session:
        found = session.execute(rows.order_by(col(Worker.name))).all()
    return [Seen(*told, silent_s=(now - heard) / timedelta(seconds=1)) for *told, heard, now in found]  # type: ignore[misc]


class Teller:
    """Writes what a worker process found on its machine to its rows, for those who can only read about it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written: Mapping[str, Any] | None = None
        self._again_at = 0.0

    def tell(self, report: Report | None) -> None:
        """Write it if it is news, or a minute old: a row that was lost comes back without it."""
        health = _told_of(report) if report else {}
        if not health or (health == self._written and time.monotonic() < self._again_at):
            return
        here = (col(Worker.host) == socket.gethostname()) & (col(Worker.pid) == os.getpid())
        mine = update(Worker).where(here, col(Worker.stopped_at).is_(None)).values(health=health)
        rows = self._database.run(lambda session: session.scalars(mine.returning(col(Worker.id))).all())
        self._written = health if rows else None
        self._again_at = time.monotonic() + SILENT_S


def _told_of(report: Report) -> dict[str, Any]:
    return {
        check.component: {"status": check.status.value, "message": check.message}
        for check in report.checks
        if check.component in TOLD
    }
