"""Lists of jobs: filtered, sorted, by page or by cursor."""

from __future__ import annotations

from pydantic import BaseModel, Field
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.jobs.ordering import cursor_after
from mill_api.jobs.page import ListQuery, read_page
from mill_api.jobs.summary import JobSummary, summary
from mill_api.openapi import Written, operation
from mill_api.resources import resources


class JobList(BaseModel):
    """One page of jobs."""

    jobs: list[JobSummary]
    total: int = Field(description="Of all pages. With a cursor: when the first page was read.")
    page: int
    per_page: int
    total_pages: int
    next_cursor: str | None


@operation(tag="jobs", query=ListQuery, returns=JobList)
def list_jobs(request: Request, query: ListQuery) -> Written[JobList]:
    """List jobs, the newest first unless asked otherwise."""
    rows, total = read_page(resources(request).database, caller(request).owner_id, query)
    has_more = len(rows) > query.per_page
    rows = rows[: query.per_page]
    return Written(
        JobList,
        {
            "jobs": [summary(row) for row in rows],
            "total": total,
            "page": query.page,
            "per_page": query.per_page,
            "total_pages": -(-total // query.per_page),
            "next_cursor": cursor_after(query, rows[-1], total) if has_more else None,
        },
    )
