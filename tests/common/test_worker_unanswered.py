"""A worker that does not know whether its claim was written finds out at its next one."""

from __future__ import annotations

import pytest
from common.desk import Desk
from sqlalchemy import update

from mill_common.clock import db_now
from mill_common.models import Outcome, Task
from mill_common.queue import TRANSCODE, Claim
from mill_common.states import TaskStatus
from mill_common.worker.unanswered import Unanswered


@pytest.fixture
def unanswered(desk: Desk) -> Unanswered:
    """What a worker knows that has looked once and found nothing."""
    asked = Unanswered(desk.queue, queue_name=TRANSCODE, worker="worker")
    asked.settle(())
    return asked


def _claim(desk: Desk, worker: str = "worker") -> Claim:
    desk.job()
    return desk.claim(worker=worker)


def test_a_task_held_without_knowing_is_handed_back(desk: Desk, unanswered: Unanswered) -> None:
    stray = _claim(desk)
    unanswered.suspect()
    unanswered.settle(())
    task = desk.task(stray.task_id)
    assert (task.status, task.attempts, task.crashes) == (TaskStatus.QUEUED, 0, 0)
    assert [attempt.outcome for attempt in desk.attempts(task.id)] == [Outcome.HANDED_BACK]
    assert desk.woken.counts == {TRANSCODE: 1}


def test_a_task_that_the_worker_knows_of_stays_with_it(desk: Desk, unanswered: Unanswered) -> None:
    known, stray = _claim(desk), _claim(desk)
    unanswered.suspect()
    unanswered.settle({(known.task_id, known.epoch)})
    assert desk.task(known.task_id).status is TaskStatus.RUNNING
    assert desk.task(stray.task_id).status is TaskStatus.QUEUED


def test_an_earlier_epoch_of_a_task_is_not_the_one_that_is_held(desk: Desk, unanswered: Unanswered) -> None:
    early = _claim(desk)
    desk.crash(early)
    late = desk.claim()
    unanswered.suspect()
    unanswered.settle({(early.task_id, early.epoch)})
    assert (desk.task(late.task_id).status, late.epoch) == (TaskStatus.QUEUED, 2)


def test_what_others_hold_stays_with_them(desk: Desk, unanswered: Unanswered) -> None:
    other = _claim(desk, worker="other")
    unanswered.suspect()
    unanswered.settle(())
    assert desk.task(other.task_id).status is TaskStatus.RUNNING


def test_what_an_earlier_process_of_the_same_name_left_is_its_crash(desk: Desk) -> None:
    left = _claim(desk)
    with desk.database.write() as session:  # SQLite's clock knows no less than a millisecond
        session.execute(update(Task).values(started_at=db_now(-1.0)))
    unanswered = Unanswered(desk.queue, queue_name=TRANSCODE, worker="worker")
    unanswered.suspect()
    unanswered.settle(())
    assert desk.task(left.task_id).status is TaskStatus.RUNNING


def test_nothing_is_looked_for_while_every_claim_is_answered(desk: Desk, unanswered: Unanswered) -> None:
    stray = _claim(desk)
    unanswered.settle(())
    assert desk.task(stray.task_id).status is TaskStatus.RUNNING


def test_it_is_looked_for_once(desk: Desk, unanswered: Unanswered) -> None:
    unanswered.suspect()
    unanswered.settle(())
    stray = _claim(desk)
    unanswered.settle(())
    assert desk.task(stray.task_id).status is TaskStatus.RUNNING


def test_a_cancelled_one_has_stopped(desk: Desk, unanswered: Unanswered) -> None:
    stray = _claim(desk)
    desk.cancel(stray.job.id)
    unanswered.suspect()
    unanswered.settle(())
    assert desk.task(stray.task_id).status is TaskStatus.CANCELLED
