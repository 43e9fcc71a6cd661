"""How many there are of what: the figures that statistics and lists share."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlmodel import Session, col
from starlette.requests import Request

from mill_api.admin.cache import Aged, cache
from mill_api.resources import resources
from mill_common import figures
from mill_common.figures import TaskCounts
from mill_common.models import Job, Task


def task_counts(request: Request, collection: str | None) -> Aged[TaskCounts]:
    """The tasks of all owners, or of one collection's jobs."""
    database = resources(request).database

    def reckon() -> TaskCounts:
        with database.snapshot() as session:
            return figures.task_counts(session) if collection is None else _count(session, collection)

    return cache(request).get(("tasks", collection), reckon)


def tasks_in(collection: str) -> Any:
    """The ids of a collection's jobs."""
    return select(col(Job.id)).where(col(Job.collection) == collection)


def _count(session: Session, collection: str) -> TaskCounts:
    counted = select(col(Task.status), col(Task.kind), func.count())
    counted = counted.where(col(Task.job_id).in_(tasks_in(collection)))
    rows = session.execute(counted.group_by(col(Task.status), col(Task.kind))).all()
    return {(status, kind): count for status, kind, count in rows}
