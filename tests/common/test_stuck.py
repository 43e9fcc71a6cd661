"""A job in which nothing moves fails; one that is slow, or waits its turn, does not."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from common.desk import Desk
from sqlalchemy import select, update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.errors import LeaseLost
from mill_common.models import Job, Outcome, Task
from mill_common.queue import NewTask
from mill_common.queue.stuck import STUCK, fail_stuck_job, stuck_jobs
from mill_common.states import JobStatus, TaskStatus

THRESHOLD = timedelta(minutes=120)
LONG_AGO = timedelta(minutes=121)
TIMES = ("created_at", "queued_at", "started_at", "progress_at", "finished_at")


def _still(desk: Desk, job: UUID, by: timedelta = LONG_AGO) -> None:
    """Let nothing have happened to a job for so long, but for heartbeats."""
    with desk.database.write() as session:
        for task in session.scalars(select(Task).where(col(Task.job_id) == job)).all():
            older = {name: at - by for name in TIMES if (at := getattr(task, name)) is not None}
            session.execute(update(Task).where(col(Task.id) == task.id).values(**older))
        row = session.get_one(Job, job)
        session.execute(update(Job).where(col(Job.id) == job).values(created_at=row.created_at - by))


def _cutoff(desk: Desk) -> datetime:
    with desk.database.read() as session:
        at: datetime = session.execute(select(db_now())).scalar_one()
    return at - THRESHOLD


def _found(desk: Desk) -> list[UUID]:
    with desk.database.read() as session:
        return stuck_jobs(session, _cutoff(desk))


def _fail(desk: Desk, job: UUID) -> bool:
    cutoff = _cutoff(desk)
    return desk.database.run(lambda session: fail_stuck_job(session, job, cutoff))


def test_a_running_task_without_progress_makes_its_job_stuck(desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    _still(desk, job)
    desk.queue.heartbeat(claim, 0.0, "hung")
    assert _found(desk) == [job]
    assert _fail(desk, job)
    row, task = desk.row(job), desk.task(claim.task_id)
    assert (row.status, row.error_code, row.failed_task) == (JobStatus.FAILED, STUCK, "probe")
    assert (task.status, task.error_code, task.worker, task.lease_until) == (TaskStatus.FAILED, STUCK, None, None)
    assert [(one.outcome, one.error_code) for one in desk.attempts(claim.task_id)] == [(Outcome.FAILED, STUCK)]
    assert _found(desk) == []


def test_its_worker_learns_by_the_fence(desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    _still(desk, job)
    assert _fail(desk, job)
    with pytest.raises(LeaseLost):
        desk.queue.heartbeat(claim, 0.5, "late")
    with pytest.raises(LeaseLost):
        desk.finish(claim)
    assert desk.status(job) is JobStatus.FAILED


def test_slow_is_not_dead(desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    _still(desk, job)
    desk.queue.heartbeat(claim, 0.01, "slow")
    assert _found(desk) == []
    assert not _fail(desk, job)


def test_progress_just_below_the_threshold_counts(desk: Desk) -> None:
    job = desk.job()
    desk.claim()
    _still(desk, job, THRESHOLD - timedelta(minutes=1))
    assert _found(desk) == []


def test_another_task_s_progress_counts_for_the_whole_job(desk: Desk) -> None:
    job = desk.planned(NewTask(name="audio", kind="audio"), NewTask(name="encode", kind="encode"))
    claims = desk.claims(2)
    _still(desk, job)
    desk.queue.heartbeat(claims["encode"], 0.3, "encoding")
    assert _found(desk) == []
    _still(desk, job)
    assert _found(desk) == [job]
    assert _fail(desk, job)
    failed = TaskStatus.FAILED
    assert desk.statuses(job) == {"probe": TaskStatus.COMPLETED, "audio": failed, "encode": failed}


def test_a_job_that_waits_for_a_worker_is_not_stuck_however_long(desk: Desk) -> None:
    with_others = desk.planned(
        NewTask(name="encode", kind="encode"), NewTask(name="package", kind="package", needs=["encode"])
    )
    alone = desk.job()
    for job in (alone, with_others):
        _still(desk, job)
    assert _found(desk) == []
    assert not _fail(desk, with_others)


def test_a_task_whose_worker_died_is_left_to_its_lease(desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    _still(desk, job)
    desk.expire(claim)
    assert _found(desk) == []
    assert desk.queue.reap_expired() == 1
    assert desk.status(job) is JobStatus.PROCESSING


def test_a_job_that_is_being_cancelled_is_not_stuck(desk: Desk) -> None:
    job = desk.job()
    desk.claim()
    desk.cancel(job)
    _still(desk, job)
    assert _found(desk) == []


def test_a_retry_runs_what_was_stuck_and_nothing_else(desk: Desk) -> None:
    job = desk.planned(NewTask(name="encode", kind="encode"), NewTask(name="package", kind="package", needs=["encode"]))
    desk.claim()
    _still(desk, job)
    assert _fail(desk, job)
    assert desk.statuses(job)["package"] is TaskStatus.BLOCKED
    desk.retry(job)
    assert desk.claim().name == "encode"


def test_a_blocked_task_that_was_never_released_makes_its_job_stuck_and_can_be_retried(desk: Desk) -> None:
    job = desk.planned(NewTask(name="encode", kind="encode"))
    with desk.database.write() as session:
        lost = update(Task).where(col(Task.job_id) == job, col(Task.name) == "encode")
        session.execute(lost.values(status=TaskStatus.BLOCKED))
    _still(desk, job)
    assert _found(desk) == [job]
    assert _fail(desk, job)
    assert (desk.status(job), desk.row(job).failed_task) == (JobStatus.FAILED, "encode")
    desk.retry(job)
    assert desk.claim().name == "encode"
