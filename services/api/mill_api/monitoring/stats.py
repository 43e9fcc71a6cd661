"""P6: processing statistics, and the tasks that run."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import col
from starlette.requests import Request

from mill_api.admin.cache import cache
from mill_api.auth import VIEWER
from mill_api.fields import Time
from mill_api.monitoring.figures import processing_stats
from mill_api.monitoring.figures_view import ProcessingStats
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.clock import db_now
from mill_common.intervals import seconds_between
from mill_common.models import Attempt, Job, Task
from mill_common.queue.predicates import running

SESSIONS_MAX = 1000


class HoursQuery(BaseModel):
    """How far back."""

    model_config = ConfigDict(extra="forbid")

    hours: int = Field(default=24, ge=1, le=744)


class Session(BaseModel):
    """A task that a worker holds, and what it has cost so far."""

    session_id: UUID = Field(description="The job.")
    task_id: UUID
    owner: str
    filename: str
    task: str
    kind: str
    stage: str | None
    progress: float
    worker: str | None
    attempt: int
    started_at: Time | None
    elapsed_seconds: float
    heartbeat_age_seconds: float | None
    cpu_seconds: float
    peak_memory_bytes: int
    bytes_in: int
    bytes_out: int


class SessionList(BaseModel):
    """What runs, the longest first."""

    sessions: list[Session]
    count: int


@operation(tag="monitoring", query=HoursQuery, returns=ProcessingStats, scope=VIEWER)
def get_processing_stats(request: Request, query: HoursQuery) -> ProcessingStats:
    """Show how attempts at tasks ended in the last hours, by stage and by error code."""
    database = resources(request).database

    def reckon() -> ProcessingStats:
        with database.snapshot() as session:
            return processing_stats(session, query.hours)

    known = cache(request).get(("processing", query.hours), reckon)
    return known.value.model_copy(update={"age_seconds": round(known.age_s, 3)})


@operation(tag="monitoring", returns=SessionList, scope=VIEWER)
def list_active_sessions(request: Request) -> SessionList:
    """List what runs: where it is, for how long, and what it costs."""
    this = (col(Attempt.task_id) == col(Task.id)) & (col(Attempt.epoch) == col(Task.epoch))
    ages = (seconds_between(col(Task.started_at), db_now()), seconds_between(col(Task.heartbeat_at), db_now()))
    listed = select(Task, Attempt, col(Job.filename), *ages).join(Job, col(Job.id) == col(Task.job_id))
    listed = listed.outerjoin(Attempt, this).where(running()).order_by(col(Task.started_at)).limit(SESSIONS_MAX)
    with resources(request).database.read() as session:
        rows = session.execute(listed).all()
    sessions = [_session(*row) for row in rows]
    return SessionList(sessions=sessions, count=len(sessions))


def _session(task: Task, attempt: Attempt | None, filename: str, age_s: float | None, beat_s: float | None) -> Session:
    spent = attempt or Attempt(task_id=task.id, epoch=task.epoch, worker="")
    return Session(
        session_id=task.job_id,
        task_id=task.id,
        owner=task.owner_id,
        filename=filename,
        task=task.name,
        attempt=task.attempts,
        elapsed_seconds=round(max(float(age_s or 0.0), 0.0), 3),
        heartbeat_age_seconds=None if beat_s is None else round(max(float(beat_s), 0.0), 3),
        cpu_seconds=spent.cpu_s,
        peak_memory_bytes=spent.peak_memory,
        bytes_in=spent.bytes_in,
        bytes_out=spent.bytes_out,
        **{name: getattr(task, name) for name in ("kind", "stage", "progress", "worker", "started_at")},
    )
