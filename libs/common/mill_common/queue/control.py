"""What a client or an operator asks of a job."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import delete, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.errors import MillError
from mill_common.models import Job, Output, Task
from mill_common.queue.enqueue import HIGHEST_PRIORITY
from mill_common.queue.policy import Policy
from mill_common.queue.rows import LockedJob, lock_job, release_unblocked, roll_up_job
from mill_common.states import ENDED, JOB_ENDED, WAITING, JobStatus, TaskStatus


class JobNotFound(MillError):
    """There is no such job."""

    code = "job_not_found"
    status = 404


class JobEnded(MillError):
    """The job has ended already."""

    code = "job_ended"
    status = 409


class JobNotFailed(MillError):
    """Only a failed job can be retried."""

    code = "job_not_failed"
    status = 409


class JobRunning(MillError):
    """The job's processes have not stopped yet."""

    code = "job_running"
    status = 409


def cancel_job(session: Session, job_id: UUID) -> None:
    """Cancel a job: waiting tasks at once, running ones as soon as their workers learn of it.

    The job is `cancelled` from this commit on, and no task of it can complete any more.

    Raises:
        JobNotFound: There is no such job.
        JobEnded: It has ended; a cancelled one included.
    """
    job = _locked(session, job_id)
    if job.status in JOB_ENDED:
        raise JobEnded(f"The job is {job.status} and cannot be cancelled.")
    job.changes["cancel_requested_at"] = db_now()
    of_job = col(Task.job_id) == job_id
    session.execute(
        update(Task)
        .where(of_job, col(Task.status).in_(WAITING))
        .values(status=TaskStatus.CANCELLED, finished_at=db_now(), cancel_requested_at=db_now())
    )
    session.execute(
        update(Task).where(of_job, col(Task.status) == TaskStatus.RUNNING).values(cancel_requested_at=db_now())
    )
    roll_up_job(session, job)


def change_priority(session: Session, job_id: UUID, priority: int, policy: Policy) -> frozenset[str]:
    """Change the priority of a job that has not ended. Its running tasks go on; those that follow get the new one.

    Returns the queues to wake once this is committed.

    Raises:
        JobNotFound: There is no such job.
        JobEnded: It has ended.
    """
    job = _locked(session, job_id)
    if job.status in JOB_ENDED:
        raise JobEnded(f"The job is {job.status}; nothing of it waits any more.")
    of_job = col(Task.job_id) == job_id
    session.execute(update(Task).where(of_job, col(Task.status).not_in(ENDED)).values(rank=HIGHEST_PRIORITY - priority))
    # Queued anew, for a turn among the tasks of one priority says nothing among those of another.
    session.execute(update(Task).where(of_job, col(Task.status) == TaskStatus.QUEUED).values(status=TaskStatus.BLOCKED))
    queues = release_unblocked(session, job_id, policy)
    session.execute(update(Job).where(col(Job.id) == job_id).values(priority=priority, updated_at=db_now()))
    return queues


def retry_job(session: Session, job_id: UUID, policy: Policy) -> frozenset[str]:
    """Run again what failed, with a fresh budget of attempts, and then what waited for it. What completed stays.

    A deadline no longer holds.

    Returns the queues to wake once this is committed.

    Raises:
        JobNotFound: There is no such job.
        JobNotFailed: Nothing of it failed.
    """
    job = _locked(session, job_id)
    if job.status is not JobStatus.FAILED:
        raise JobNotFailed(f"The job is {job.status}; only a failed one can be retried.")
    session.execute(
        update(Task)
        .where(col(Task.job_id) == job_id, col(Task.status) == TaskStatus.FAILED)
        .values(
            status=TaskStatus.BLOCKED,
            crashes=0,
            outages=0,
            max_attempts=Task.attempts + policy.max_attempts,
            finished_at=None,
        )
    )
    job.changes["deadline_at"] = None  # it may have passed, and whoever retries wants the job all the same
    queues = release_unblocked(session, job_id, policy)
    roll_up_job(session, job)
    return queues


def delete_job(session: Session, job_id: UUID) -> list[str]:
    """Remove an ended job's rows. Returns the object keys and prefixes (ending in "/") that are nobody's now.

    Raises:
        JobNotFound: There is no such job.
        JobRunning: A task of it still runs.
    """
    job = _locked(session, job_id)
    running = select(col(Task.id)).where(col(Task.job_id) == job_id, col(Task.status) == TaskStatus.RUNNING)
    if job.status not in JOB_ENDED or session.scalar(running.limit(1)) is not None:
        raise JobRunning
    keys = list(session.scalars(select(col(Output.object_key)).where(col(Output.job_id) == job_id)).all())
    session.execute(delete(Job).where(col(Job.id) == job_id))
    return keys


def _locked(session: Session, job_id: UUID) -> LockedJob:
    job = lock_job(session, job_id)
    if job is None:
        raise JobNotFound
    return job
