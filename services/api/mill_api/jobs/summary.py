"""A job in a list."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field
from sqlmodel import col

from mill_api.fields import Time
from mill_api.jobs.progress import percent
from mill_common.models import Job
from mill_common.states import JobStatus

# Not whole rows: what a client asked for and what a probe found are most of their bytes.
COLUMNS: tuple[Any, ...] = (
    *map(col, (Job.id, Job.status, Job.priority, Job.filename, Job.collection, Job.duration_s)),
    *map(col, (Job.created_at, Job.completed_at, Job.progress, Job.error_code)),
)


class JobSummary(BaseModel):
    """A job in a list."""

    job_id: UUID
    status: JobStatus
    priority: int
    filename: str
    collection: str | None
    duration_seconds: float | None
    created_at: Time
    completed_at: Time | None
    progress: float = Field(ge=0, le=100, description="Percent.")
    error_code: str | None = Field(description="Why it failed, if it did.")


def summary(row: Any) -> JobSummary:
    """A row of `COLUMNS` as it is shown."""
    return JobSummary(
        job_id=row.id,
        status=row.status,
        priority=row.priority,
        filename=row.filename,
        collection=row.collection,
        duration_seconds=row.duration_s,
        created_at=row.created_at,
        completed_at=row.completed_at,
        progress=percent(row.progress),
        error_code=row.error_code,
    )
