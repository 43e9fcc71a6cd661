"""Dead letters: tasks that failed for good, inspected, retried or thrown out by filter."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlmodel import col
from starlette.requests import Request

from mill_api.admin.bulk import LIMIT, BulkResult, delete_one, in_bulk, retry_one
from mill_api.auth import ADMIN, OPERATOR, VIEWER
from mill_api.fields import LINE, Owner, Time, TimeInQuery
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.errors import StorageUnavailable
from mill_common.models import Attempt, Job, Task
from mill_common.states import TaskStatus

Word = Annotated[str, Field(min_length=1, max_length=64, pattern=LINE)]


class LetterFilter(BaseModel):
    """Which dead letters. One must meet every filter."""

    model_config = ConfigDict(extra="forbid")

    owner: Owner | None = None
    queue: Word | None = None
    kind: Word | None = Field(default=None, description="Of task, such as `encode`.")
    error_code: Word | None = None
    from_date: TimeInQuery | None = Field(default=None, description="Failed then or later.")
    to_date: TimeInQuery | None = Field(default=None, description="Failed then or earlier.")


class LetterQuery(LetterFilter):
    """Which of them, and which part."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    per_page: int = Field(default=100, ge=1, le=500)


class Letter(BaseModel):
    """A task that failed for good, and its job."""

    job_id: UUID
    task_id: UUID
    owner: str
    filename: str
    task: str
    kind: str
    queue: str
    stage: str | None
    progress: float
    attempts: int
    max_attempts: int
    crashes: int
    error_code: str | None
    error_message: str | None
    log_tail: str = Field(description="The end of what the last attempt's processes said.")
    failed_at: Time | None


class LetterList(BaseModel):
    """Dead letters, the latest first."""

    dead_letters: list[Letter]
    total: int
    page: int
    per_page: int
    total_pages: int


class LetterRequest(BaseModel):
    """Which dead letters, and whether for real."""

    model_config = ConfigDict(extra="forbid")

    filter: LetterFilter
    dry_run: bool = Field(default=True, description="Only say what would be done.")
    limit: int = Field(default=100, ge=1, le=LIMIT, description="Jobs; with more, ask again.")


@operation(tag="admin", query=LetterQuery, returns=LetterList, scope=VIEWER)
def list_dead_letters(request: Request, query: LetterQuery) -> LetterList:
    """Look at the tasks that failed for good, with what they said last."""
    wanted = _wanted(query)
    latest = (col(Attempt.task_id) == col(Task.id)) & (col(Attempt.epoch) == col(Task.epoch))
    listed = select(Task, col(Job.filename), col(Attempt.log_tail)).join(Job, col(Job.id) == col(Task.job_id))
    listed = listed.outerjoin(Attempt, latest).where(*wanted).order_by(col(Task.finished_at).desc(), col(Task.id))
    with resources(request).database.read() as session:
        total = session.scalar(select(func.count()).select_from(Task).where(*wanted)) or 0
        page = listed.offset((query.page - 1) * query.per_page).limit(query.per_page)
        letters = [_letter(task, filename, tail) for task, filename, tail in session.execute(page)]
    pages = -(-total // query.per_page)
    return LetterList(dead_letters=letters, total=total, page=query.page, per_page=query.per_page, total_pages=pages)


@operation(tag="admin", body=LetterRequest, returns=BulkResult, scope=OPERATOR)
def retry_dead_letters(request: Request, body: LetterRequest) -> BulkResult:
    """Retry the jobs of dead letters: only what failed of them runs again."""
    return in_bulk(request, _jobs(body.filter), retry_one, dry_run=body.dry_run, limit=body.limit)


@operation(tag="admin", body=LetterRequest, returns=BulkResult, raises=[StorageUnavailable], scope=ADMIN)
def discard_dead_letters(request: Request, body: LetterRequest) -> BulkResult:
    """Delete the jobs of dead letters, with their files."""
    return in_bulk(request, _jobs(body.filter), delete_one, dry_run=body.dry_run, limit=body.limit)


def _jobs(asked: LetterFilter) -> Any:
    return select(col(Task.job_id)).where(*_wanted(asked)).distinct()


def _wanted(asked: LetterFilter) -> list[Any]:
    wanted: list[Any] = [col(Task.status) == TaskStatus.FAILED]
    for column, value in (
        (col(Task.owner_id), asked.owner),
        (col(Task.queue), asked.queue),
        (col(Task.kind), asked.kind),
        (col(Task.error_code), asked.error_code),
    ):
        if value is not None:
            wanted.append(column == value)
    wanted += [col(Task.finished_at) >= asked.from_date] if asked.from_date else []
    wanted += [col(Task.finished_at) <= asked.to_date] if asked.to_date else []
    return wanted


def _letter(task: Task, filename: str, tail: str | None) -> Letter:
    shown = task.model_dump(include=set(Letter.model_fields) - {"task"})
    return Letter(
        **shown,
        task_id=task.id,
        owner=task.owner_id,
        filename=filename,
        task=task.name,
        log_tail=tail or "",
        failed_at=task.finished_at,
    )
