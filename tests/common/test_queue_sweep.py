"""Many leases that ran out at once are swept in one go, each for what it is."""

from __future__ import annotations

import pytest
from common.desk import Desk
from sqlalchemy import select, update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.errors import SourceUnreadable
from mill_common.models import Job, Outcome, Task
from mill_common.queue import HEARTBEAT_TIMEOUT, NewTask, reap
from mill_common.states import JobStatus, TaskStatus


def _all_die(desk: Desk) -> None:
    with desk.database.write() as session:
        session.execute(update(Task).where(col(Task.status) == TaskStatus.RUNNING).values(lease_until=db_now(-1.0)))


def test_one_sweep_takes_all_that_died_in_steps(desk: Desk) -> None:
    jobs = [desk.job() for _ in range(7)]
    claims = [desk.claim() for _ in jobs]
    _all_die(desk)
    steps = [desk.database.run(lambda session: reap(session, desk.policy, limit=3)).taken for _ in range(4)]
    assert steps == [3, 3, 1, 0]
    for claim in claims:
        task = desk.task(claim.task_id)
        assert (task.status, task.crashes, task.worker, task.error_code) == ("retrying", 1, None, HEARTBEAT_TIMEOUT)
        (attempt,) = desk.attempts(claim.task_id)
        assert attempt.error_message == task.error_message
        assert attempt.ended_at is not None
    assert {desk.status(job) for job in jobs} == {JobStatus.PROCESSING}


def test_each_is_taken_for_what_it_is(desk: Desk) -> None:
    plan = (NewTask(name="doomed", kind="x"), NewTask(name="beside", kind="x"))
    held = desk.planned(*plan, owner="held")
    held_claims = desk.claims(2)
    desk.fail(held_claims["doomed"], SourceUnreadable())
    poisoned = desk.job("poisoned")
    for _ in range(desk.policy.max_crashes - 1):
        desk.crash(desk.claim())
    desk.claim()
    cancelled, plain = desk.job("cancelled"), desk.job("plain")
    desk.claims(1), desk.claim()
    desk.cancel(cancelled)
    _all_die(desk)
    assert desk.queue.reap_expired() == 4
    assert desk.statuses(held)["beside"] is TaskStatus.BLOCKED
    assert (desk.status(held), desk.row(held).failed_task) == (JobStatus.FAILED, "doomed")
    row = desk.row(poisoned)
    assert (row.status, row.error_code, row.failed_task) == (JobStatus.FAILED, HEARTBEAT_TIMEOUT, "probe")
    assert row.completed_at is not None
    assert row.error_message is not None
    assert row.error_message.endswith("was not heard of; crash 3 of 3.")
    assert (desk.status(cancelled), desk.statuses(cancelled)) == ("cancelled", {"probe": "cancelled"})
    assert desk.tasks(cancelled)["probe"].error_code is None
    assert desk.statuses(plain) == {"probe": TaskStatus.RETRYING}
    ends = {attempt.outcome for job in (cancelled, plain) for attempt in desk.attempts(desk.tasks(job)["probe"].id)}
    assert ends == {Outcome.LEASE_EXPIRED}


def test_a_job_that_a_frozen_worker_holds_does_not_make_the_sweep_wait(desk: Desk) -> None:
    if desk.database.is_sqlite:
        pytest.skip("SQLite has one writer")
    frozen, other = desk.job(), desk.job()
    desk.claim(), desk.claim()
    _all_die(desk)
    with desk.database.write() as session:
        session.execute(select(Job).where(col(Job.id) == frozen).with_for_update())
        assert desk.queue.reap_expired() == 1
        assert desk.statuses(other) == {"probe": TaskStatus.RETRYING}
        assert desk.statuses(frozen) == {"probe": TaskStatus.RUNNING}
    assert desk.queue.reap_expired() == 1
