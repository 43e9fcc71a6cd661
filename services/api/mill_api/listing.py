"""Lists of jobs: filtered, sorted, by page or by cursor."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, and_, func, or_
from sqlmodel import Session, col, select
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.fields import LINE, Time
from mill_api.openapi import operation
from mill_api.problems import Fault, RequestInvalid
from mill_api.progress import percent
from mill_api.resources import resources
from mill_common.models import Job
from mill_common.states import JobStatus

SortField = Literal["created_at", "updated_at", "completed_at", "priority", "status", "filename"]
_LATER = datetime(9999, 1, 1, tzinfo=UTC)

# Nulls would end a comparison of rows, so a job that has not ended counts as ending late.
_SORTED: dict[str, tuple[Any, TypeAdapter[Any]]] = {
    "created_at": (col(Job.created_at), TypeAdapter(datetime)),
    "updated_at": (col(Job.updated_at), TypeAdapter(datetime)),
    "completed_at": (func.coalesce(col(Job.completed_at), _LATER), TypeAdapter(datetime)),
    "priority": (col(Job.priority), TypeAdapter(int)),
    "status": (col(Job.status), TypeAdapter(JobStatus)),
    "filename": (col(Job.filename), TypeAdapter(str)),
}


class ListQuery(BaseModel):
    """Which jobs, in which order."""

    status: JobStatus | None = None
    priority: Annotated[int, Field(ge=0, le=9)] | None = None
    from_date: Time | None = Field(default=None, description="Created then or later.")
    to_date: Time | None = Field(default=None, description="Created then or earlier.")
    search: Annotated[str, Field(min_length=1, max_length=255, pattern=LINE)] | None = Field(
        default=None, description="Part of the file name, in any case."
    )
    page: int = Field(default=1, ge=1, le=1_000_000)
    per_page: int = Field(default=100, ge=1, le=500)
    sort_by: SortField = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"
    cursor: Annotated[str, Field(max_length=1024, pattern=r"^[A-Za-z0-9_-]+$")] | None = Field(
        default=None, description="`next_cursor` of the page before, with the same order; `page` is ignored then."
    )


class JobSummary(BaseModel):
    """A job in a list."""

    job_id: UUID
    status: JobStatus
    priority: int
    filename: str
    duration_seconds: float | None
    created_at: Time
    completed_at: Time | None
    progress: float = Field(ge=0, le=100, description="Percent.")


class JobList(BaseModel):
    """One page of jobs."""

    jobs: list[JobSummary]
    total: int = Field(description="Of all pages.")
    page: int
    per_page: int
    total_pages: int
    next_cursor: str | None


@operation(tag="jobs", query=ListQuery, returns=JobList)
def list_jobs(request: Request, query: ListQuery) -> JobList:
    """List jobs, the newest first unless asked otherwise."""
    filters = _filters(caller(request).owner_id, query)
    with resources(request).database.read() as session:
        total = session.scalar(select(func.count()).select_from(Job).where(*filters)) or 0
        rows = _page(session, filters, query)
    has_more = len(rows) > query.per_page
    rows = rows[: query.per_page]
    return JobList(
        jobs=[_summary(job) for job in rows],
        total=total,
        page=query.page,
        per_page=query.per_page,
        total_pages=-(-total // query.per_page),
        next_cursor=_cursor(query, rows[-1]) if has_more else None,
    )


def _filters(owner_id: str, query: ListQuery) -> list[ColumnElement[bool]]:
    filters = [col(Job.owner_id) == owner_id]
    if query.status is not None:
        filters.append(col(Job.status) == query.status)
    if query.priority is not None:
        filters.append(col(Job.priority) == query.priority)
    if query.from_date is not None:
        filters.append(col(Job.created_at) >= query.from_date)
    if query.to_date is not None:
        filters.append(col(Job.created_at) <= query.to_date)
    if query.search is not None:
        filters.append(col(Job.filename).icontains(query.search, autoescape=True))
    return filters


def _page(session: Session, filters: list[ColumnElement[bool]], query: ListQuery) -> list[Job]:
    key, _ = _SORTED[query.sort_by]
    order = [key.asc(), col(Job.id).asc()] if query.sort_order == "asc" else [key.desc(), col(Job.id).desc()]
    jobs = (
        select(Job).where(*filters).order_by(*order).limit(query.per_page + 1)
    )  # one more tells whether there is a next page
    if query.cursor is not None:
        jobs = jobs.where(_behind(query, query.cursor))
    else:
        jobs = jobs.offset((query.page - 1) * query.per_page)
    return list(session.exec(jobs).all())


def _behind(query: ListQuery, cursor: str) -> ColumnElement[bool]:
    key, kind = _SORTED[query.sort_by]
    try:
        order, last, last_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        value, job_id = kind.validate_python(last), UUID(last_id)
    except (ValueError, TypeError, AttributeError, ValidationError):
        order = None
    if order != _order(query):
        fault = Fault(loc=["query", "cursor"], message="is not a cursor of this order")
        raise RequestInvalid("query: is not a cursor of this order", [fault])
    if query.sort_order == "asc":
        return or_(key > value, and_(key == value, col(Job.id) > job_id))
    return or_(key < value, and_(key == value, col(Job.id) < job_id))


def _cursor(query: ListQuery, last: Job) -> str:
    value = getattr(last, query.sort_by)
    if value is None:
        value = _LATER
    if isinstance(value, datetime):
        value = value.isoformat()
    plain = json.dumps([_order(query), value, str(last.id)])
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _order(query: ListQuery) -> str:
    return f"{query.sort_by} {query.sort_order}"


def _summary(job: Job) -> JobSummary:
    return JobSummary(
        job_id=job.id,
        status=job.status,
        priority=job.priority,
        filename=job.filename,
        duration_seconds=(job.media or {}).get("duration_s"),
        created_at=job.created_at,
        completed_at=job.completed_at,
        progress=percent(job.progress),
    )
