"""The history of a job: who worked on which step of it, and what came of that."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import Select, select
from sqlmodel import col
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.fields import Time
from mill_api.openapi import operation
from mill_api.owners import owned_job
from mill_api.resources import resources
from mill_common.models import Attempt, Outcome, Task
from mill_common.queue import JobNotFound

# Everything but what its children said.
COLUMNS: tuple[Any, ...] = (
    col(Task.name).label("task"),
    *map(col, (Task.kind, Task.queue, Attempt.epoch, Attempt.worker, Attempt.started_at, Attempt.ended_at)),
    *map(col, (Attempt.outcome, Attempt.error_code, Attempt.error_message)),
    *map(col, (Attempt.peak_memory, Attempt.cpu_s, Attempt.bytes_in, Attempt.bytes_out)),
)


class AttemptView(BaseModel):
    """One worker's try at one task."""

    task: str
    kind: str
    queue: str
    epoch: int = Field(description="Rises with every attempt at a task.")
    worker: str
    started_at: Time
    ended_at: Time | None = Field(description="null while it runs.")
    duration_seconds: float | None
    outcome: Outcome | None
    error_code: str | None
    error_message: str | None
    peak_memory_bytes: int = Field(description="The largest child process's.")
    cpu_seconds: float = Field(description="Of child processes.")
    bytes_in: int
    bytes_out: int


class AttemptList(BaseModel):
    """Every attempt at a job's tasks, in the order they began."""

    job_id: UUID
    attempts: list[AttemptView]


@operation(tag="jobs", returns=AttemptList, raises=[JobNotFound])
def list_attempts(request: Request, job_id: UUID) -> AttemptList:
    """List every attempt at a job's tasks, with what it cost and how it ended."""
    with resources(request).database.read() as session:
        owned_job(session, job_id, caller(request).owner_id)
        rows = session.execute(attempts_of(job_id, *COLUMNS)).all()
    return AttemptList(job_id=job_id, attempts=[_view(row) for row in rows])


def attempts_of(job_id: UUID, *columns: Any) -> Select[Any]:
    """A job's attempts in the order they began."""
    of_job = select(*columns).join(Task, col(Task.id) == col(Attempt.task_id)).where(col(Task.job_id) == job_id)
    return of_job.order_by(col(Attempt.started_at), col(Attempt.task_id), col(Attempt.epoch))


def _view(row: Any) -> AttemptView:
    took = (row.ended_at - row.started_at).total_seconds() if row.ended_at else None
    return AttemptView(
        task=row.task,
        kind=row.kind,
        queue=row.queue,
        epoch=row.epoch,
        worker=row.worker,
        started_at=row.started_at,
        ended_at=row.ended_at,
        duration_seconds=None if took is None else round(took, 3),
        outcome=row.outcome,
        error_code=row.error_code,
        error_message=row.error_message,
        peak_memory_bytes=row.peak_memory,
        cpu_seconds=round(row.cpu_s, 3),
        bytes_in=row.bytes_in,
        bytes_out=row.bytes_out,
    )
