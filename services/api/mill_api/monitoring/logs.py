"""P6: what happened lately, over all jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import Session, col
from starlette.requests import Request

from mill_api.auth import VIEWER
from mill_api.fields import LINE
from mill_api.jobs.attempts import COLUMNS
from mill_api.jobs.logs import SEVERITY, Level, LogEntry, of_attempt
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.clock import db_now
from mill_common.models import Attempt, Task

ATTEMPTS = 500  # the latest so many are read through


class RecentQuery(BaseModel):
    """Which entries."""

    model_config = ConfigDict(extra="forbid")

    lines: int = Field(default=100, ge=1, le=1000)
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="DEBUG", description="Entries of this level and above; lines of processes are of `DEBUG`."
    )
    job: UUID | None = None
    text: Annotated[str, Field(min_length=1, max_length=200, pattern=LINE)] | None = Field(
        default=None, description="Part of the message or the error's code, in any case."
    )
    hours: int = Field(default=1, ge=1, le=168, description="Of attempts that began so long ago; all with `job`.")


class RecentEntry(LogEntry):
    """Something that happened in a job."""

    job_id: UUID
    worker: str


class RecentLogs(BaseModel):
    """Entries, the oldest first."""

    entries: list[RecentEntry]
    count: int


@operation(tag="monitoring", query=RecentQuery, returns=RecentLogs, scope=VIEWER)
def recent_logs(request: Request, query: RecentQuery) -> RecentLogs:
    """Read what happened lately: the events of the latest attempts, and the last lines of their processes."""
    with resources(request).database.read() as session:
        rows = _attempts(session, query)
    entries = [
        RecentEntry(**entry.model_dump(), job_id=row.job_id, worker=row.worker)
        for row in rows
        for entry in of_attempt(row)
        if _is_wanted(entry, query)
    ]
    latest = sorted(entries, key=lambda entry: entry.time)[-query.lines :]
    return RecentLogs(entries=latest, count=len(latest))


def _attempts(session: Session, query: RecentQuery) -> Sequence[Any]:
    listed = select(*COLUMNS, col(Attempt.log_tail), col(Task.job_id)).join(Task, col(Task.id) == col(Attempt.task_id))
    if query.job is not None:
        listed = listed.where(col(Task.job_id) == query.job)
    else:
        listed = listed.where(col(Attempt.started_at) > db_now(-3600.0 * query.hours))
    return session.execute(listed.order_by(col(Attempt.started_at).desc()).limit(ATTEMPTS)).all()


def _is_wanted(entry: LogEntry, query: RecentQuery) -> bool:
    level: Level = query.level.lower()  # type: ignore[assignment]  # the same words
    if SEVERITY[entry.level] < SEVERITY[level]:
        return False
    said = f"{entry.message} {entry.error_code or ''}".lower()
    return query.text is None or query.text.lower() in said
