"""A job in a list."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel, Field

from mill_api.fields import Time, rfc3339, rfc3339_or_none
from mill_api.jobs.progress import percent
from mill_common.models import Job
from mill_common.states import JobStatus


class SummaryRow(NamedTuple):
    """What a list shows, not whole rows: what a client asked for and what a probe found are most of their bytes."""

    id: UUID | str
    status: str
    priority: int
    filename: str
    collection: str | None
    duration_s: float | None
    progress: float
    error_code: str | None
    created_at: datetime
    completed_at: datetime | None

    @classmethod
    def read(cls, row: list[Any]) -> SummaryRow:
        """From a row as PostgreSQL writes it in JSON."""
        *rest, created, completed = row
        ended = None if completed is None else datetime.fromisoformat(completed)
        return cls._make([*rest, datetime.fromisoformat(created), ended])


COLUMNS: tuple[Any, ...] = tuple(getattr(Job, name) for name in SummaryRow._fields)


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


def summary(row: Any) -> dict[str, Any]:
    """A row of `COLUMNS` as its `JobSummary` would be written."""
    return {
        "job_id": str(row.id),
        "status": row.status,
        "priority": row.priority,
        "filename": row.filename,
        "collection": row.collection,
        "duration_seconds": row.duration_s,
        "created_at": rfc3339(row.created_at),
        "completed_at": rfc3339_or_none(row.completed_at),
        "progress": percent(row.progress),
        "error_code": row.error_code,
    }
