"""A worker takes a task."""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import Attempt, Job, Task
from mill_common.queue.predicates import claimable
from mill_common.queue.types import Claim, JobFacts
from mill_common.spec import JobSpec
from mill_common.states import JobStatus, TaskStatus


def claim(session: Session, *, queue: str, worker: str, lease_s: float) -> Claim | None:
    """Take the next task of `queue` for `lease_s` seconds: by priority, then fair share between owners, then age."""
    following = (
        select(col(Task.id))
        .where(claimable(), col(Task.queue) == queue, col(Task.run_after) <= db_now())
        .order_by(col(Task.rank), col(Task.share), col(Task.id))
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    task = session.scalars(
        update(Task)
        .where(col(Task.id) == following)
        .values(
            status=TaskStatus.RUNNING,
            stage="claimed",
            epoch=Task.epoch + 1,
            attempts=Task.attempts + 1,
            progress=0.0,
            worker=worker,
            lease_until=db_now(lease_s),
            heartbeat_at=db_now(),
            progress_at=db_now(),
            started_at=db_now(),
            error_code=None,
            error_message=None,
        )
        .returning(Task)
    ).one_or_none()
    if task is None:
        return None
    session.execute(insert(Attempt).values(task_id=task.id, epoch=task.epoch, worker=worker))
    _begin_job(session, task)
    job = session.get_one(Job, task.job_id)
    return _claim_of(task, job)


def _begin_job(session: Session, task: Task) -> None:
    # Skipping a locked job keeps claims from ever waiting for one; the next roll-up then sets the status.
    waiting = (
        select(col(Job.id))
        .where(col(Job.id) == task.job_id, col(Job.status) == JobStatus.QUEUED)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    session.execute(
        update(Job)
        .where(col(Job.id) == waiting)
        .values(status=JobStatus.PROCESSING, started_at=db_now(), updated_at=db_now())
    )


def _claim_of(task: Task, job: Job) -> Claim:
    assert task.lease_until is not None and task.worker is not None
    return Claim(
        task_id=task.id,
        epoch=task.epoch,
        worker=task.worker,
        job=JobFacts(
            id=job.id,
            owner_id=job.owner_id,
            spec=JobSpec.model_validate(job.spec),
            filename=job.filename,
            source_key=job.source_key,
            source_url=job.source_url,
            source_size=job.source_size,
            media=job.media,
        ),
        name=task.name,
        kind=task.kind,
        queue=task.queue,
        params=task.params,
        attempts=task.attempts,
        max_attempts=task.max_attempts,
        lease_until=task.lease_until,
    )
