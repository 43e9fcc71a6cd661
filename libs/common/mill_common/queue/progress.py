"""A job's progress, as its tasks make it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Boolean, bindparam, case, func, literal, or_, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.hooks.events import watched
from mill_common.hooks.progress import note_progress
from mill_common.models import Job, Task
from mill_common.prepared import Prepared
from mill_common.queue.enqueue import FETCH, PROBE

UNPLANNED_SHARE = 0.05  # of a job's progress: all that comes before its plan

_of_job = col(Task.job_id) == bindparam("of_job")
_done = func.sum(Task.weight * Task.progress) / func.sum(Task.weight)
# Until the probe has planned the rest, the first tasks are all there is, and must not pass for the whole job.
_later = (col(Task.name) != FETCH.name) & (col(Task.name) != PROBE.name)
_planned = select(col(Task.id)).where(_of_job, _later).exists()
_share = case((_planned, literal(1.0)), else_=literal(UNPLANNED_SHARE))
_reached = select(_done).where(_of_job).scalar_subquery() * _share
_rises = col(Job.progress) < _reached
RAISE = Prepared(
    "raise_progress",
    update(Job)
    .where(col(Job.id) == bindparam("of_job"), or_(_rises, bindparam("touch", type_=Boolean)))
    .values(progress=case((_rises, _reached), else_=Job.progress), updated_at=db_now())
    .returning(watched()),
)


def raise_job_progress(session: Session, job_id: UUID, *, touch: bool = False) -> None:
    """Bring the job's progress up to its tasks', each counted by its weight. It never falls.

    With `touch` the job counts as changed even if its progress has not risen.
    """
    if RAISE.scalar(session.connection(), {"of_job": job_id, "touch": touch}):
        note_progress(session, job_id)
