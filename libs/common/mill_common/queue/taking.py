"""What a claim writes and reads, in one statement or in several."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Float, Row, Update, bindparam, select, update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.models import Job, Task
from mill_common.queue.types import Claim, JobFacts
from mill_common.spec import JobSpec
from mill_common.states import JobStatus, TaskStatus

# An owner's oldest job first, or every one of a hundred videos would be half done before the first is.
BY_AGE = (col(Task.job_id), col(Task.id))

TAKEN = (
    *(col(Task.id), col(Task.job_id), col(Task.owner_id), col(Task.epoch), col(Task.worker), col(Task.share)),
    *(col(Task.name), col(Task.kind), col(Task.queue), col(Task.params), col(Task.lease_until)),
    *(col(Task.attempts), col(Task.max_attempts), col(Task.started_at), col(Task.run_after)),
)
JOB_FACTS = (
    *(col(Job.spec), col(Job.filename), col(Job.source_key), col(Job.source_url)),
    *(col(Job.source_size), col(Job.source_sha256), col(Job.media), col(Job.trace)),
)


def taking() -> dict[str, Any]:
    """What is written to the task that `:by_worker` takes for `:lease_s` seconds."""
    return {
        "status": TaskStatus.RUNNING,
        "stage": "claimed",
        "epoch": Task.epoch + 1,
        "attempts": Task.attempts + 1,
        "progress": 0.0,
        "worker": bindparam("by_worker"),
        "lease_until": db_now(bindparam("lease_s", type_=Float)),
        "heartbeat_at": db_now(),
        "progress_at": db_now(),
        "started_at": db_now(),
        "error_code": None,
        "error_message": None,
    }


def begin_job(this: ColumnElement[bool]) -> Update:
    """The job that `this` says is processing now, if it has just been waiting."""
    # Skipping a locked job keeps claims from ever waiting for one; the next roll-up then sets the status.
    waiting = select(col(Job.id)).where(this, col(Job.status) == JobStatus.QUEUED).with_for_update(skip_locked=True)
    return (
        update(Job)
        .where(col(Job.id) == waiting.scalar_subquery())
        .values(status=JobStatus.PROCESSING, started_at=db_now(), updated_at=db_now())
    )


def claim_of(task: Row[Any], job: Row[Any]) -> Claim:
    """The claim on a task that was taken."""
    return Claim(
        task_id=task.id,
        epoch=task.epoch,
        worker=task.worker,
        job=JobFacts(
            id=task.job_id,
            owner_id=task.owner_id,
            spec=JobSpec.model_validate(job.spec),
            filename=job.filename,
            source_key=job.source_key,
            source_url=job.source_url,
            source_size=job.source_size,
            media=job.media,
            source_sha256=job.source_sha256,
            trace=job.trace,
        ),
        name=task.name,
        kind=task.kind,
        queue=task.queue,
        params=task.params,
        attempts=task.attempts,
        max_attempts=task.max_attempts,
        lease_until=task.lease_until,
        waited_s=(task.started_at - task.run_after).total_seconds(),
    )
