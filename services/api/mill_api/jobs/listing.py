"""Lists of jobs: filtered, sorted, by page or by cursor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, func, select
from sqlmodel import Session, col
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.jobs.filters import conditions
from mill_api.jobs.ordering import Ordered, behind, cursor_after, order_of, read_cursor
from mill_api.jobs.summary import COLUMNS, JobSummary, summary
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.models import Job


class ListQuery(Ordered):
    """Which jobs, in which order, and which part of them."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    per_page: int = Field(default=100, ge=1, le=500)
    cursor: Annotated[str, Field(max_length=2048, pattern=r"^[A-Za-z0-9_-]+$")] | None = Field(
        default=None,
        description="`next_cursor` of the page before, with the same filters and order; `page` is ignored then.",
    )


class JobList(BaseModel):
    """One page of jobs."""

    jobs: list[JobSummary]
    total: int = Field(description="Of all pages. With a cursor: when the first page was read.")
    page: int
    per_page: int
    total_pages: int
    next_cursor: str | None


@operation(tag="jobs", query=ListQuery, returns=JobList)
def list_jobs(request: Request, query: ListQuery) -> JobList:
    """List jobs, the newest first unless asked otherwise."""
    wanted = conditions(caller(request).owner_id, query)
    with resources(request).database.read() as session:
        rows, total = _after(session, wanted, query) if query.cursor else _page(session, wanted, query)
    has_more = len(rows) > query.per_page
    rows = rows[: query.per_page]
    return JobList(
        jobs=[summary(row) for row in rows],
        total=total,
        page=query.page,
        per_page=query.per_page,
        total_pages=-(-total // query.per_page),
        next_cursor=cursor_after(query, rows[-1], total) if has_more else None,
    )


def _page(session: Session, wanted: list[ColumnElement[bool]], query: ListQuery) -> tuple[Sequence[Any], int]:
    total = session.scalar(select(func.count()).select_from(Job).where(*wanted)) or 0
    # One more tells whether there is a next page. What is skipped is counted in the index alone.
    ids = select(col(Job.id)).where(*wanted).order_by(*order_of(query)).limit(query.per_page + 1)
    ids = ids.offset((query.page - 1) * query.per_page)
    jobs = select(*COLUMNS).where(col(Job.id).in_(ids.scalar_subquery()))
    return session.execute(jobs.order_by(*order_of(query))).all(), total


def _after(session: Session, wanted: list[ColumnElement[bool]], query: ListQuery) -> tuple[Sequence[Any], int]:
    place = read_cursor(query, query.cursor or "")
    jobs = select(*COLUMNS).where(*wanted, behind(query, place.values)).order_by(*order_of(query))
    return session.execute(jobs.limit(query.per_page + 1)).all(), place.total
