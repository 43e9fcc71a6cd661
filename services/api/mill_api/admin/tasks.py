"""A4: the tasks of all owners, the latest first."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select, tuple_
from sqlmodel import Session, col
from starlette.requests import Request

from mill_api.admin.counts import task_counts, tasks_in
from mill_api.auth import VIEWER
from mill_api.fields import LINE, CollectionName, Owner, Time
from mill_api.openapi import operation
from mill_api.rate_limits import Rate
from mill_api.resources import resources
from mill_common.intervals import seconds_between
from mill_common.models import Task
from mill_common.states import CLAIMABLE, TaskStatus

Status = Literal["pending", "blocked", "queued", "running", "retrying", "completed", "failed", "cancelled"]
Kind = Annotated[str, Field(min_length=1, max_length=32, pattern=LINE)]


class TaskQuery(BaseModel):
    """Which tasks."""

    model_config = ConfigDict(extra="forbid")

    collection: CollectionName | None = Field(default=None, description="Of this collection's jobs, by job.")
    owner: Owner | None = None
    status_filter: Status | None = Field(default=None, description="`pending` is `queued` or `retrying`.")
    job_type: Kind | None = Field(default=None, description="The kind of task, such as `encode`.")
    page: int = Field(default=1, ge=1, le=1_000_000)
    page_size: int = Field(default=20, ge=1, le=100)
    cursor: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None,
        examples=["0198f2a47c1e7d3b9a5f3e8b6c2d1f04" * 2],
        description="`next_cursor` of the page before, which costs the same however far; beats `page`.",
    )


class TaskItem(BaseModel):
    """A task as operators see it."""

    id: UUID
    video_id: UUID = Field(description="The job that the task is a step of.")
    owner: str
    name: str
    job_type: str
    queue: str
    status: TaskStatus
    stage: str | None
    message_id: str = Field(description="What names the latest claim in logs and storage: task and epoch.")
    worker: str | None
    attempts: int
    queued_at: Time | None
    started_at: Time | None
    completed_at: Time | None
    duration_seconds: float | None
    error_code: str | None
    error_message: str | None


class TaskPage(BaseModel):
    """One page of tasks."""

    jobs: list[TaskItem]
    total: int = Field(description="As it was a few seconds ago.")
    page: int
    page_size: int
    total_pages: int
    next_cursor: str | None


@operation(tag="admin", query=TaskQuery, returns=TaskPage, scope=VIEWER, rate=Rate.ADMIN_JOBS)
def list_tasks(request: Request, query: TaskQuery) -> TaskPage:
    """List the tasks of all owners, the newest first; those of a collection by job."""
    with resources(request).database.read() as session:
        rows = _rows(session, query)
        total = _count(session, query) if query.owner else None
    if total is None:
        total = _known(task_counts(request, query.collection).value, query)
    shown = rows[: query.page_size]
    return TaskPage(
        jobs=[_item(task, seconds) for task, seconds in shown],
        total=total,
        page=query.page,
        page_size=query.page_size,
        total_pages=-(-total // query.page_size),
        next_cursor=_cursor(shown[-1][0]) if len(rows) > query.page_size else None,
    )


def _rows(session: Session, query: TaskQuery) -> list[Any]:
    order = _order(query)
    wanted = _wanted(query)
    # What is skipped is counted in the index alone.
    ids = select(col(Task.id)).where(*wanted).order_by(*(column.desc() for column in order)).limit(query.page_size + 1)
    if query.cursor is not None:
        ids = ids.where(_behind(query, order))
    else:
        ids = ids.offset((query.page - 1) * query.page_size)
    took = seconds_between(col(Task.started_at), col(Task.finished_at))
    listed = select(Task, took).where(col(Task.id).in_(ids.scalar_subquery()))
    return list(session.execute(listed.order_by(*(column.desc() for column in order))).all())


def _order(query: TaskQuery) -> list[Any]:
    return [col(Task.job_id), col(Task.id)] if query.collection is not None else [col(Task.id)]


def _behind(query: TaskQuery, order: list[Any]) -> Any:
    text = query.cursor or ""
    job_id, task_id = UUID(text[:32]), UUID(text[32:])
    if len(order) == 1:
        return col(Task.id) < task_id
    return tuple_(*order) < tuple_(job_id, task_id)


def _cursor(task: Task) -> str:
    return task.job_id.hex + task.id.hex


def _statuses(query: TaskQuery) -> frozenset[TaskStatus]:
    if query.status_filter is None:
        return frozenset(TaskStatus)
    return CLAIMABLE if query.status_filter == "pending" else frozenset({TaskStatus(query.status_filter)})


def _wanted(query: TaskQuery) -> list[Any]:
    wanted: list[Any] = []
    if query.status_filter is not None:
        wanted.append(col(Task.status).in_(sorted(_statuses(query))))
    if query.job_type is not None:
        wanted.append(col(Task.kind) == query.job_type)
    if query.owner is not None:
        wanted.append(col(Task.owner_id) == query.owner)
    if query.collection is not None:
        wanted.append(col(Task.job_id).in_(tasks_in(query.collection)))
    return wanted


def _known(counts: Any, query: TaskQuery) -> int:
    statuses = _statuses(query)
    return sum(
        count for (status, kind), count in counts.items() if status in statuses and query.job_type in (None, kind)
    )


def _count(session: Session, query: TaskQuery) -> int:
    return session.scalar(select(func.count()).select_from(Task).where(*_wanted(query))) or 0


def _item(task: Task, seconds: float | None) -> TaskItem:
    values = {name: getattr(task, name) for name in ("id", "name", "queue", "status", "stage", "worker", "attempts")}
    return TaskItem(
        **values,
        video_id=task.job_id,
        owner=task.owner_id,
        job_type=task.kind,
        message_id=f"{task.id}-{task.epoch}",
        queued_at=task.queued_at,
        started_at=task.started_at,
        completed_at=task.finished_at,
        duration_seconds=round(seconds, 3) if seconds is not None else None,
        error_code=task.error_code,
        error_message=task.error_message,
    )
