"""Whole lists of jobs as a file, written while they are read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import select
from sqlmodel import col
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mill_api.auth import caller
from mill_api.fields import rfc3339
from mill_api.jobs.filters import conditions
from mill_api.jobs.ordering import Ordered, behind, order_of, values_of
from mill_api.jobs.progress import percent
from mill_api.jobs.spreadsheet import csv_line
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.database import Database
from mill_common.models import Job

AT_ONCE = 500  # jobs in memory
Format = Literal["csv", "json", "ndjson"]
MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
}
FIELDS = (
    *("job_id", "status", "priority", "filename", "collection", "duration_seconds", "source_size_bytes"),
    *("created_at", "started_at", "completed_at", "processing_seconds", "progress"),
    *("error_code", "error_message", "failed_task", "user_metadata"),
)
PRODUCED: dict[str, Any] = {
    "text/csv": {"type": "string"},
    "application/json": {
        "type": "array",
        "items": {"type": "object", "required": list(FIELDS), "properties": {name: {} for name in FIELDS}},
    },
    "application/x-ndjson": {"type": "string"},
}
_READ: tuple[Any, ...] = (
    *map(col, (Job.id, Job.status, Job.priority, Job.filename, Job.collection, Job.duration_s, Job.source_size)),
    *map(col, (Job.created_at, Job.started_at, Job.completed_at, Job.progress)),
    *map(col, (Job.error_code, Job.error_message, Job.failed_task, Job.user_metadata)),
)


class ExportQuery(Ordered):
    """Which jobs, in which order, written how."""

    format: Format = Field(default="csv", description="`json` is one array, `ndjson` one object a line.")


@operation(tag="jobs", query=ExportQuery, produces=PRODUCED)
def export_jobs(request: Request, query: ExportQuery) -> Response:
    """Download a list of jobs as CSV, JSON or NDJSON, however long it is.

    Takes the filters and orders of the list. Jobs that come while it is written may be in it or not; none is in it
    twice.
    In CSV, text that a spreadsheet would take for a formula has a `'` in front, and metadata is JSON in one cell.
    """
    headers = {"Content-Disposition": f'attachment; filename="jobs.{query.format}"'}
    if request.method == "HEAD":
        return Response(media_type=MEDIA_TYPES[query.format], headers=headers)
    jobs = _jobs(resources(request).database, caller(request).owner_id, query)
    return StreamingResponse(_WRITERS[query.format](jobs), media_type=MEDIA_TYPES[query.format], headers=headers)


def _jobs(database: Database, owner_id: str, query: ExportQuery) -> Iterator[list[dict[str, Any]]]:
    """Some jobs at a time. No transaction is open in between: a client may take as long as it likes, or leave."""
    read = select(*_READ).where(*conditions(owner_id, query)).order_by(*order_of(query)).limit(AT_ONCE)
    following = read
    while True:
        with database.read() as session:
            rows = session.execute(following).all()
        if rows:
            yield [_plain(row) for row in rows]
        if len(rows) < AT_ONCE:
            return
        following = read.where(behind(query, values_of(query, rows[-1])))


def _plain(row: Any) -> dict[str, Any]:
    took = (row.completed_at - row.started_at).total_seconds() if row.completed_at and row.started_at else None
    values = (
        *(str(row.id), row.status.value, row.priority, row.filename, row.collection, row.duration_s, row.source_size),
        *(_time(row.created_at), _time(row.started_at), _time(row.completed_at)),
        *(None if took is None else round(took, 3), percent(row.progress)),
        *(row.error_code, row.error_message, row.failed_task, row.user_metadata),
    )
    return dict(zip(FIELDS, values, strict=True))


def _time(time: datetime | None) -> str | None:
    return rfc3339(time) if time else None


def _csv(jobs: Iterator[list[dict[str, Any]]]) -> Iterator[str]:
    yield csv_line(FIELDS)
    for batch in jobs:
        cells = (job | {"user_metadata": json.dumps(job["user_metadata"], ensure_ascii=False)} for job in batch)
        yield "".join(csv_line(job.values()) for job in cells)


def _ndjson(jobs: Iterator[list[dict[str, Any]]]) -> Iterator[str]:
    for batch in jobs:
        yield "".join(json.dumps(job, ensure_ascii=False) + "\n" for job in batch)


def _json(jobs: Iterator[list[dict[str, Any]]]) -> Iterator[str]:
    before = "[\n"
    for batch in jobs:
        yield before + ",\n".join(json.dumps(job, ensure_ascii=False) for job in batch)
        before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


_WRITERS: dict[Format, Callable[[Iterator[list[dict[str, Any]]]], Iterator[str]]] = {
    "csv": _csv,
    "json": _json,
    "ndjson": _ndjson,
}
