"""A job that has not ended by its deadline fails."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from common.desk import Desk
from sqlalchemy import select
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.errors import LeaseLost
from mill_common.models import Job, Outcome
from mill_common.queue import NewTask
from mill_common.states import JobStatus, TaskStatus


def _at(desk: Desk, seconds: float) -> datetime:
    with desk.database.read() as session:
        at: datetime = session.execute(select(db_now())).scalar_one()
    return at + timedelta(seconds=seconds)


def _overdue(desk: Desk) -> UUID:
    return desk.job(deadline_at=_at(desk, -1))


def test_a_waiting_task_of_an_overdue_job_is_not_claimed_any_more(desk: Desk) -> None:
    job = _overdue(desk)
    assert desk.queue.fail_overdue() == 1
    row = desk.row(job)
    assert (row.status, row.error_code, row.failed_task) == (JobStatus.FAILED, "deadline_exceeded", "probe")
    assert row.completed_at is not None
    assert desk.take() is None


def test_a_running_task_of_an_overdue_job_ends_at_its_next_heartbeat(desk: Desk) -> None:
    job = _overdue(desk)
    claim = desk.claim()
    assert desk.queue.fail_overdue() == 1
    with pytest.raises(LeaseLost):
        desk.queue.heartbeat(claim, 0.5, "late")
    with pytest.raises(LeaseLost):
        desk.finish(claim)
    task = desk.task(claim.task_id)
    assert (task.status, task.error_code, task.worker) == (TaskStatus.FAILED, "deadline_exceeded", None)
    assert [(one.outcome, one.error_code) for one in desk.attempts(task.id)] == [(Outcome.FAILED, "deadline_exceeded")]
    assert desk.status(job) is JobStatus.FAILED


def test_what_waits_beside_a_running_task_is_held_until_a_retry(desk: Desk) -> None:
    job = desk.planned(NewTask(name="audio", kind="x"), NewTask(name="encode", kind="x"))
    running = desk.claim()
    with desk.database.write() as session:
        session.get_one(Job, job).deadline_at = _at(desk, -1)
    assert desk.queue.fail_overdue() == 1
    waiting = {"audio", "encode"} - {running.name}
    assert [desk.statuses(job)[name] for name in waiting] == [TaskStatus.BLOCKED]
    desk.retry(job)
    assert {desk.claim().name, desk.claim().name} == {"audio", "encode"}


def test_a_retry_by_hand_has_no_deadline(desk: Desk) -> None:
    job = _overdue(desk)
    desk.queue.fail_overdue()
    desk.retry(job)
    assert desk.queue.fail_overdue() == 0
    desk.finish(desk.claim())
    assert desk.status(job) is JobStatus.COMPLETED


def test_a_job_before_its_deadline_goes_on(desk: Desk) -> None:
    desk.job(deadline_at=_at(desk, 60))
    assert desk.queue.fail_overdue() == 0
    desk.finish(desk.claim())


@pytest.mark.parametrize("end", ["completed", "cancelled"])
def test_a_job_that_ended_in_time_stays_as_it_is(desk: Desk, end: str) -> None:
    job = _overdue(desk)
    if end == "completed":
        desk.finish(desk.claim())
    else:
        desk.cancel(job)
    assert desk.queue.fail_overdue() == 0
    assert desk.status(job) == end


def test_a_job_that_somebody_holds_does_not_make_the_sweep_wait(desk: Desk) -> None:
    if desk.database.is_sqlite:
        pytest.skip("SQLite has one writer")
    held, other = _overdue(desk), _overdue(desk)
    with desk.database.write() as frozen:
        frozen.execute(select(Job).where(col(Job.id) == held).with_for_update())
        assert desk.queue.fail_overdue() == 1
        assert desk.status(other) is JobStatus.FAILED
    assert desk.queue.fail_overdue() == 1
