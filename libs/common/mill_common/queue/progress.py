"""A job's progress, as its tasks make it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import case, func, literal, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.hooks.events import watched
from mill_common.hooks.progress import note_progress
from mill_common.models import Job, Task
from mill_common.queue.enqueue import FETCH, PROBE

UNPLANNED_SHARE = 0.05  # of a job's progress: all that comes before its plan


def raise_job_progress(session: Session, job_id: UUID) -> None:
    """Bring the job's progress up to its tasks', each counted by its weight. It never falls."""
    of_job = col(Task.job_id) == job_id
    done = func.sum(Task.weight * Task.progress) / func.sum(Task.weight)
    # Until the probe has planned the rest, the first tasks are all there is, and must not pass for the whole job.
    planned = select(col(Task.id)).where(of_job, col(Task.name).not_in([FETCH.name, PROBE.name])).exists()
    share = case((planned, literal(1.0)), else_=literal(UNPLANNED_SHARE))
    reached = select(done).where(of_job).scalar_subquery() * share
    rises = update(Job).where(col(Job.id) == job_id, col(Job.progress) < reached)
    risen = rises.values(progress=reached, updated_at=db_now()).returning(watched())
    if session.connection().execute(risen).scalar():
        note_progress(session, job_id)
