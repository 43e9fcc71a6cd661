"""A worker takes a task."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, insert, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import Attempt, Job, Task
from mill_common.queue.predicates import claimable
from mill_common.queue.types import Claim, JobFacts
from mill_common.spec import JobSpec
from mill_common.states import JobStatus, TaskStatus

Order = tuple[Any, ...]
_BY_SHARE: Order = (col(Task.rank), col(Task.share), col(Task.id))
# An owner's oldest job first, or every one of a hundred videos would be half done before the first is.
_BY_AGE: Order = (col(Task.job_id), col(Task.id))


def claim(session: Session, *, queue: str, worker: str, lease_s: float) -> Claim | None:
    """Take the next task of `queue` for `lease_s` seconds: by priority, then fair share between owners, then age."""
    turn = session.execute(
        select(col(Task.id), col(Task.owner_id), col(Task.rank), col(Task.share))
        .where(_due(queue))
        .order_by(*_BY_SHARE)
        .limit(1)
    ).first()
    if turn is None:
        return None
    of_owner = _due(queue) & (col(Task.owner_id) == turn.owner_id) & (col(Task.rank) == turn.rank)
    # If others are taking all of that owner's tasks at this moment, anybody's will do.
    task = _take(session, of_owner, _BY_AGE, worker, lease_s) or _take(session, _due(queue), _BY_SHARE, worker, lease_s)
    if task is None:
        return None
    if task.owner_id == turn.owner_id and task.id != turn.id:
        _swap_share(session, turn.id, task)
    session.execute(insert(Attempt).values(task_id=task.id, epoch=task.epoch, worker=worker))
    _begin_job(session, task)
    job = session.get_one(Job, task.job_id)
    return _claim_of(task, job)


def _due(queue: str) -> ColumnElement[bool]:
    return claimable() & (col(Task.queue) == queue) & (col(Task.run_after) <= db_now())


def _take(session: Session, due: ColumnElement[bool], order: Order, worker: str, lease_s: float) -> Task | None:
    following = (
        select(col(Task.id)).where(due).order_by(*order).limit(1).with_for_update(skip_locked=True).scalar_subquery()
    )
    taken = (
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
    )
    return session.scalars(taken).one_or_none()


def _swap_share(session: Session, turn_id: UUID, taken: Task) -> None:
    """Give the number that was not used to the task whose turn it was. Never waits: one more turn does no harm."""
    waiting = select(col(Task.id)).where(col(Task.id) == turn_id, claimable()).with_for_update(skip_locked=True)
    session.execute(update(Task).where(col(Task.id) == waiting.scalar_subquery()).values(share=taken.share))


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
            trace=job.trace,
        ),
        name=task.name,
        kind=task.kind,
        queue=task.queue,
        params=task.params,
        attempts=task.attempts,
        max_attempts=task.max_attempts,
        lease_until=task.lease_until,
        waited_s=(task.started_at - task.run_after).total_seconds() if task.started_at else 0.0,
    )
