"""A worker that lost its lease writes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from common.desk import NOTHING, Desk, made

from mill_common.errors import ChildFailed, LeaseLost, SourceUnreadable
from mill_common.models import Outcome, Output, Task
from mill_common.queue import Claim, NewTask
from mill_common.states import TaskStatus

Write = Callable[[Desk, Claim], object]

WRITES: dict[str, Write] = {
    "finish": lambda desk, claim: desk.finish(
        claim, made("360p.mp4"), tasks=[NewTask(name="more", kind="more")], media={"late": True}, publish=True
    ),
    "fail": lambda desk, claim: desk.fail(claim, ChildFailed()),
    "fail for good": lambda desk, claim: desk.fail(claim, SourceUnreadable()),
    "heartbeat": lambda desk, claim: desk.queue.heartbeat(claim, 0.9, "late"),
    "release": lambda desk, claim: desk.queue.release(claim, NOTHING),
    "acknowledge_cancel": lambda desk, claim: desk.queue.acknowledge_cancel(claim, NOTHING),
}


def everything(desk: Desk, claim: Claim) -> object:
    """All that a late write could touch."""
    job = claim.job.id
    tasks = {name: task.model_dump() for name, task in desk.tasks(job).items()}
    history = [attempt.model_dump() for attempt in desk.attempts(claim.task_id)]
    return tasks, history, desk.row(job).model_dump(), desk.count(Output), desk.count(Task)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_worker_whose_task_another_one_holds_writes_nothing(desk: Desk, write: Write) -> None:
    desk.job()
    late = desk.claim(worker="late")
    desk.crash(late)
    holder = desk.claim(worker="holder")
    before = everything(desk, holder)
    with pytest.raises(LeaseLost):
        write(desk, late)
    assert everything(desk, holder) == before
    desk.finish(holder)
    assert desk.task(holder.task_id).status is TaskStatus.COMPLETED


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_worker_whose_task_waits_again_writes_nothing(desk: Desk, write: Write) -> None:
    desk.job()
    late = desk.claim()
    desk.crash(late)
    before = everything(desk, late)
    with pytest.raises(LeaseLost):
        write(desk, late)
    assert everything(desk, late) == before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_worker_that_has_finished_writes_nothing_more(desk: Desk, write: Write) -> None:
    desk.job()
    claim = desk.claim()
    desk.finish(claim, tasks=[NewTask(name="next", kind="next")])
    before = everything(desk, claim)
    with pytest.raises(LeaseLost):
        write(desk, claim)
    assert everything(desk, claim) == before


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
def test_a_worker_whose_job_is_gone_writes_nothing(desk: Desk, write: Write) -> None:
    job = desk.job()
    claim = desk.claim()
    desk.cancel(job)
    desk.queue.acknowledge_cancel(claim, NOTHING)
    desk.delete(job)
    with pytest.raises(LeaseLost):
        write(desk, claim)
    assert desk.count(Task) == 0


def test_a_late_heartbeat_keeps_a_task_that_nobody_has_taken_yet(desk: Desk) -> None:
    desk.job()
    claim = desk.claim()
    desk.expire(claim)
    desk.queue.heartbeat(claim, 0.1, "encode")
    assert desk.queue.reap_expired() == 0
    assert desk.task(claim.task_id).epoch == claim.epoch


def test_outputs_carry_the_epoch_that_made_them(desk: Desk) -> None:
    job = desk.job()
    desk.crash(desk.claim())
    second = desk.claim()
    desk.finish(second, made("360p.mp4"), publish=True)
    output = desk.outputs(job)["360p.mp4"]
    assert (output.epoch, output.task_id) == (2, second.task_id)
    assert [attempt.outcome for attempt in desk.attempts(second.task_id)] == [Outcome.LEASE_EXPIRED, Outcome.COMPLETED]
