"""The log of a job: what happened to it, and the end of what its processes said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import col
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.fields import Line, Time, TimeInQuery
from mill_api.jobs.attempts import COLUMNS, attempts_of
from mill_api.openapi import operation
from mill_api.owners import owned_job
from mill_api.resources import resources
from mill_common.models import Attempt, Job, Outcome
from mill_common.queue import JobNotFound
from mill_common.states import JobStatus

Level = Literal["debug", "info", "warning", "error"]
SEVERITY = {"debug": 0, "info": 1, "warning": 2, "error": 3}
_ENDINGS: dict[Outcome, tuple[Level, str]] = {
    Outcome.COMPLETED: ("info", "The step is complete."),
    Outcome.RETRYING: ("warning", "The step failed and is tried again."),
    Outcome.FAILED: ("error", "The step failed."),
    Outcome.CANCELLED: ("warning", "The step was cancelled."),
    Outcome.POSTPONED: ("warning", "Something that the step needs was down; it is tried again."),
    Outcome.HANDED_BACK: ("info", "The worker stopped and handed the step back."),
    Outcome.LEASE_EXPIRED: ("error", "The worker was not heard of again."),
}
_JOB_ENDINGS: dict[JobStatus, tuple[Level, str]] = {
    JobStatus.COMPLETED: ("info", "The job is complete."),
    JobStatus.FAILED: ("error", "The job failed."),
    JobStatus.CANCELLED: ("warning", "The job was cancelled."),
}


class LogQuery(BaseModel):
    """Which entries."""

    model_config = ConfigDict(extra="forbid")

    level: Level = Field(default="debug", description="Entries of this level and above.")
    task: list[Line] | None = Field(
        default=None, max_length=50, description="Names or kinds of steps, such as `encode-000` or `encode`."
    )
    from_date: TimeInQuery | None = Field(default=None, description="Of then or later.")
    to_date: TimeInQuery | None = Field(default=None, description="Of then or earlier.")
    page: int = Field(default=1, ge=1, le=1_000_000)
    per_page: int = Field(default=500, ge=1, le=5000)


class LogEntry(BaseModel):
    """Something that happened, or a line that a process wrote."""

    time: Time = Field(description="Of a process's line: when its attempt ended, or began if it still runs.")
    level: Level
    task: str | None = Field(description="null if it is of the job as a whole.")
    epoch: int | None
    event: str = Field(description="Stable: `created`, `started`, `ended` or `output`.")
    message: str
    error_code: str | None


class JobLog(BaseModel):
    """A part of a job's log, the oldest entry first."""

    job_id: UUID
    entries: list[LogEntry]
    total: int
    page: int
    per_page: int
    total_pages: int


@operation(tag="jobs", query=LogQuery, returns=JobLog, raises=[JobNotFound])
def job_log(request: Request, job_id: UUID, query: LogQuery) -> JobLog:
    """Read a job's log: its events, and the last lines of what each attempt's processes wrote."""
    with resources(request).database.read() as session:
        job = owned_job(session, job_id, caller(request).owner_id)
        rows = session.execute(attempts_of(job_id, *COLUMNS, col(Attempt.log_tail))).all()
    kinds = {row.task: row.kind for row in rows}
    every = [*_of_job(job), *(entry for row in rows for entry in of_attempt(row))]
    entries = sorted((entry for entry in every if _is_wanted(entry, query, kinds)), key=lambda entry: entry.time)
    first = (query.page - 1) * query.per_page
    return JobLog(
        job_id=job_id,
        entries=entries[first : first + query.per_page],
        total=len(entries),
        page=query.page,
        per_page=query.per_page,
        total_pages=-(-len(entries) // query.per_page),
    )


def _is_wanted(entry: LogEntry, query: LogQuery, kinds: dict[str, str]) -> bool:
    if SEVERITY[entry.level] < SEVERITY[query.level]:
        return False
    if query.task is not None and entry.task not in query.task and kinds.get(entry.task or "") not in query.task:
        return False
    after = query.from_date is None or entry.time >= query.from_date
    return after and (query.to_date is None or entry.time <= query.to_date)


def _of_job(job: Job) -> Iterator[LogEntry]:
    yield _entry(job.created_at, "info", "created", "The job was accepted.")
    if job.status in _JOB_ENDINGS and job.completed_at is not None:
        level, message = _JOB_ENDINGS[job.status]
        yield _entry(job.completed_at, level, "ended", job.error_message or message, code=job.error_code)


def of_attempt(row: Any) -> Iterator[LogEntry]:
    """What a row of an attempt says, the oldest entry first."""
    yield _entry(row.started_at, "info", "started", f"{row.worker} took the step.", row=row)
    for line in filter(None, map(str.strip, row.log_tail.splitlines())):
        yield _entry(row.ended_at or row.started_at, "debug", "output", line, row=row)
    if row.ended_at is not None and row.outcome is not None:
        level, message = _ENDINGS[row.outcome]
        yield _entry(row.ended_at, level, "ended", row.error_message or message, row=row, code=row.error_code)


def _entry(
    time: datetime, level: Level, event: str, message: str, *, row: Any = None, code: str | None = None
) -> LogEntry:
    return LogEntry(
        time=time,
        level=level,
        task=row.task if row else None,
        epoch=row.epoch if row else None,
        event=event,
        message=message,
        error_code=code,
    )
