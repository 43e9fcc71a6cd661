"""What nearly every roll-up is: the job goes on, or is done, and nobody waits to be told.

Statements that are built once, for building costs more than running them.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, bindparam, update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.models import Job
from mill_common.prepared import Prepared
from mill_common.queue.progress import RAISE
from mill_common.queue.rows import LockedJob
from mill_common.states import JobStatus, TaskStatus, roll_up

_COMPLETE = Prepared(
    "complete_job",
    update(Job)
    .where(col(Job.id) == bindparam("job_id"))
    .values(status=JobStatus.COMPLETED, progress=1.0, updated_at=db_now(), completed_at=db_now())
    .returning(col(Job.id)),
)


def rolled_up(connection: Connection, job: LockedJob, statuses: Collection[TaskStatus]) -> bool:
    """Bring the job in line with its tasks' `statuses` if there is no more to it than that; else write nothing."""
    status = roll_up(statuses)
    if job.watched or not _goes_well(job) or status not in (JobStatus.PROCESSING, JobStatus.COMPLETED):
        return False
    if status is JobStatus.COMPLETED:
        _COMPLETE.rows(connection, {"job_id": job.id})
    else:
        RAISE.rows(connection, {"of_job": job.id, "touch": True})
    return True


def _goes_well(job: LockedJob) -> bool:
    untouched = not job.changes and job.cancel_requested_at is None and job.error_code is None
    return untouched and job.status is JobStatus.PROCESSING and job.started_at is not None and job.completed_at is None
