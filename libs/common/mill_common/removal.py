"""Ended jobs go: their rows, and their part in what has been counted, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import delete, select
from sqlmodel import Session, col

from mill_common.figures.taken_off import counted_of, take_off
from mill_common.models import Job, Output, Task
from mill_common.queue import delete_job
from mill_common.queue.predicates import running
from mill_common.states import JOB_ENDED

Keys = list[str]
"""Object keys, and prefixes that end in "/", which are nobody's now."""


def remove_job(session: Session, job_id: UUID) -> Keys:
    """Remove a job's rows.

    Raises:
        JobNotFound: There is no such job.
        JobRunning: A task of it still runs.
    """
    counted = counted_of(session, [job_id])
    keys = delete_job(session, job_id)
    take_off(session, counted, [job_id])
    return keys


def remove_jobs(session: Session, job_ids: Sequence[UUID]) -> Mapping[UUID, Keys]:
    """Remove the rows of those jobs that can go: that have ended, run no task, and are locked by nobody else.

    It takes as many statements for a hundred as for one, and locks all of them until the commit.
    """
    ended = select(col(Job.id)).where(col(Job.id).in_(job_ids), col(Job.status).in_(JOB_ENDED)).order_by(col(Job.id))
    locked = session.scalars(ended.with_for_update(skip_locked=True)).all()
    # Only now: until it is locked, a job may be retried and a task of it claimed.
    busy = set(session.scalars(select(col(Task.job_id)).where(col(Task.job_id).in_(locked), running())))
    gone: dict[UUID, Keys] = {job_id: [] for job_id in locked if job_id not in busy}
    counted = counted_of(session, list(gone))
    made = select(col(Output.job_id), col(Output.object_key)).where(col(Output.job_id).in_(gone))
    for job_id, key in session.execute(made):
        gone[job_id].append(key)
    session.execute(delete(Job).where(col(Job.id).in_(gone)))
    take_off(session, counted, gone)
    return gone
