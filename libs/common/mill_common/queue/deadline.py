"""Jobs that were to have ended by now."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.errors import DeadlineExceeded
from mill_common.models import Job
from mill_common.queue.rows import lock_job, roll_up_job
from mill_common.queue.stuck import end_tasks
from mill_common.states import JOB_ENDED

AT_ONCE = 100


def fail_overdue_jobs(session: Session, *, limit: int = AT_ONCE) -> int:
    """Fail up to `limit` jobs whose deadline has passed. Their workers learn of it by their next heartbeat.

    A job that somebody holds is left to the next sweep. Returns how many failed.
    """
    overdue = (
        select(col(Job.id))
        .where(col(Job.deadline_at) <= db_now(), col(Job.completed_at).is_(None))
        .order_by(col(Job.deadline_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    failed = 0
    for job_id in session.scalars(overdue).all():
        failed += _fail(session, job_id)
    return failed


def _fail(session: Session, job_id: UUID) -> bool:
    job = lock_job(session, job_id)
    if job is None or job.status in JOB_ENDED:
        return False
    code, message = DeadlineExceeded.code, "The job did not end by its deadline."
    end_tasks(session, job, code, message, even_waiting=True)
    roll_up_job(session, job)
    return True
