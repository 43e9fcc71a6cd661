"""A12: many jobs at once, by filter: first as a rehearsal, then for real, so many at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlmodel import col
from starlette.requests import Request

from mill_api.audit import record_alone
from mill_api.auth import ADMIN, OPERATOR
from mill_api.fields import LINE, CollectionName, Owner, Time
from mill_api.openapi import operation
from mill_api.resources import Resources, resources
from mill_common.cleanup import delete_job_objects
from mill_common.errors import MillError, StorageUnavailable
from mill_common.models import AuditOutcome, Job
from mill_common.models import Owner as OwnerRow
from mill_common.queue import JobEnded, cancel_job, retry_job
from mill_common.removal import remove_job
from mill_common.states import JOB_ENDED, JobStatus

OneJob = Callable[[Resources, UUID], None]
"""What is done with each; raises `MillError` where it can't be."""

LIMIT = 1000


class JobFilter(BaseModel):
    """Which jobs. One must meet every filter."""

    model_config = ConfigDict(extra="forbid")

    owner: Owner | None = None
    collection: CollectionName | None = None
    status: list[JobStatus] | None = Field(default=None, min_length=1, max_length=5)
    error_code: Annotated[str, Field(min_length=1, max_length=64, pattern=LINE)] | None = None
    from_date: Time | None = Field(default=None, description="Created then or later.")
    to_date: Time | None = Field(default=None, description="Created then or earlier.")
    job_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=LIMIT)


class BulkRequest(BaseModel):
    """What is to be done with which jobs."""

    model_config = ConfigDict(extra="forbid")

    filter: JobFilter
    dry_run: bool = Field(default=True, description="Only say what would be done.")
    limit: int = Field(default=100, ge=1, le=LIMIT, description="With more jobs, ask again.")


class NotDone(BaseModel):
    """A job with which it could not be done."""

    job_id: UUID
    code: str


class BulkResult(BaseModel):
    """What was done, or with `dry_run` would be."""

    dry_run: bool
    matched: int = Field(description="Jobs that meet the filter, those beyond the limit included.")
    job_ids: list[UUID] = Field(description="Those that it was done with, or would be.")
    done: int
    failed: list[NotDone]


@operation(tag="admin", body=BulkRequest, returns=BulkResult, scope=OPERATOR)
def bulk_retry(request: Request, body: BulkRequest) -> BulkResult:
    """Retry failed jobs: only what failed of them runs again."""
    return in_bulk(request, _ids(body, {JobStatus.FAILED}), retry_one, dry_run=body.dry_run, limit=body.limit)


@operation(tag="admin", body=BulkRequest, returns=BulkResult, scope=OPERATOR)
def bulk_cancel(request: Request, body: BulkRequest) -> BulkResult:
    """Cancel jobs that have not ended."""
    open_ = {status for status in JobStatus if status not in JOB_ENDED}
    return in_bulk(request, _ids(body, open_), cancel_one, dry_run=body.dry_run, limit=body.limit)


@operation(tag="admin", body=BulkRequest, returns=BulkResult, raises=[StorageUnavailable], scope=ADMIN)
def bulk_delete(request: Request, body: BulkRequest) -> BulkResult:
    """Delete jobs that have ended, with their files."""
    return in_bulk(request, _ids(body, set(JOB_ENDED)), delete_one, dry_run=body.dry_run, limit=body.limit)


def in_bulk(request: Request, ids: Any, one: OneJob, *, dry_run: bool, limit: int) -> BulkResult:
    """Do something with the jobs that the query `ids` finds, each in a transaction of its own, the oldest first."""
    wired = resources(request)
    found = ids.subquery()
    with wired.database.read() as session:
        matched = session.scalar(select(func.count()).select_from(found)) or 0
        chosen = list(session.scalars(select(found.c[0]).order_by(found.c[0]).limit(limit)))
    done, failed = (chosen, []) if dry_run else _each(wired, chosen, one)
    result = BulkResult(dry_run=dry_run, matched=matched, job_ids=done, done=0 if dry_run else len(done), failed=failed)
    queue = request.path_params.get("queue")
    said: dict[str, Any] = {"dry_run": dry_run, "matched": matched, "done": result.done, "failed": len(failed)}
    said["job_ids"] = [str(job_id) for job_id in done[:100]]
    record_alone(request, AuditOutcome.DONE, 200, target=f"queue:{queue}" if queue else "jobs", after=said)
    return result


def retry_one(wired: Resources, job_id: UUID) -> None:
    """Retry a job, whatever its owner's quota says."""
    for queue in wired.database.run(lambda session: retry_job(session, job_id, wired.queue.policy)):
        wired.dispatcher.wake(queue)


def cancel_one(wired: Resources, job_id: UUID) -> None:
    """Cancel a job; one that has ended meanwhile is left."""
    with suppress(JobEnded):
        wired.database.run(lambda session: cancel_job(session, job_id))


def delete_one(wired: Resources, job_id: UUID) -> None:
    """Delete a job and what it made."""
    keys = wired.database.run(lambda session: remove_job(session, job_id))
    delete_job_objects(wired.store, {job_id: keys})


def _each(wired: Resources, chosen: list[UUID], one: OneJob) -> tuple[list[UUID], list[NotDone]]:
    done: list[UUID] = []
    failed: list[NotDone] = []
    for job_id in chosen:
        try:
            one(wired, job_id)
        except MillError as error:
            failed.append(NotDone(job_id=job_id, code=error.code))
        else:
            done.append(job_id)
    return done, failed


def _ids(body: BulkRequest, allowed: set[JobStatus]) -> Any:
    asked = body.filter
    statuses = allowed & set(asked.status) if asked.status else allowed
    wanted: list[Any] = [col(Job.status).in_(sorted(statuses))]
    if asked.job_ids is not None:
        wanted.append(col(Job.id).in_(asked.job_ids))
    elif asked.owner is None and asked.collection is None:
        # Owner by owner, because every index of statuses begins with the owner.
        wanted.append(col(Job.owner_id).in_(select(col(OwnerRow.id))))
    for column, value in (
        (col(Job.owner_id), asked.owner),
        (col(Job.collection), asked.collection),
        (col(Job.error_code), asked.error_code),
    ):
        if value is not None:
            wanted.append(column == value)
    wanted += [col(Job.created_at) >= asked.from_date] if asked.from_date else []
    wanted += [col(Job.created_at) <= asked.to_date] if asked.to_date else []
    return select(col(Job.id)).where(*wanted)
