"""How a worker's work ends: with its shift, or asked to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from common.workshop import NEVER_S, Held, Workshop, plan, until

from mill_common.database import Database
from mill_common.models import Outcome
from mill_common.queue import NewTask, TaskResult
from mill_common.states import JobStatus, TaskStatus
from mill_common.worker import Shift, TaskContext, Woken


@pytest.fixture
def shop(database: Database, tmp_path: Path) -> Iterator[Workshop]:
    """A worker that nothing but its own work wakes."""
    url = database.engine.url.render_as_string(hide_password=False)
    with closing(Workshop(tmp_path / "data", url, poll_s=NEVER_S)) as shop:
        yield shop


def outcomes(shop: Workshop, job: object) -> list[Outcome | None]:
    return [entry.outcome for task in shop.desk.tasks(job).values() for entry in shop.desk.attempts(task.id)]  # type: ignore[arg-type]


@pytest.mark.parametrize("slots", [1, 3])
def test_a_worker_can_end_with_its_queue(shop: Workshop, slots: int) -> None:
    over = threading.Event()
    chain = [NewTask(name="left", kind="step"), NewTask(name="right", kind="step")]
    chain.append(NewTask(name="last", kind="step", needs=["left", "right"]))
    jobs = [shop.desk.job() for _ in range(3)]
    handlers = {"probe": plan(*chain), "step": lambda _: TaskResult()}
    with shop.working(handlers, slots=slots, shift=Shift(until_empty=True, over=over.set)):
        assert over.wait(60)
        assert [shop.desk.status(job) for job in jobs] == [JobStatus.COMPLETED] * 3


def test_a_worker_does_not_end_while_its_own_task_may_plan_more(shop: Workshop) -> None:
    over = threading.Event()
    held = Held()
    job = shop.desk.job()

    def probe(task: TaskContext) -> TaskResult:
        held(task)
        return TaskResult(tasks=[NewTask(name="step", kind="step")])

    handlers = {"probe": probe, "step": lambda _: TaskResult()}
    with shop.working(handlers, slots=2, shift=Shift(until_empty=True, over=over.set)) as runner:
        assert held.began.wait(30)
        until(runner.idle.is_set)  # the second slot has found nothing
        assert not over.is_set()
        held.let_go.set()
        assert over.wait(60)
    assert shop.desk.status(job) is JobStatus.COMPLETED


def test_a_worker_can_end_after_so_many_tasks(shop: Workshop) -> None:
    over = threading.Event()
    jobs = [shop.desk.job() for _ in range(5)]
    with shop.working({"probe": lambda _: TaskResult()}, slots=2, shift=Shift(tasks=3, over=over.set)):
        assert over.wait(60)
        assert [shop.desk.status(job) for job in jobs].count(JobStatus.COMPLETED) == 3
        assert [shop.desk.status(job) for job in jobs].count(JobStatus.QUEUED) == 2


def test_a_worker_that_is_asked_to_stop_lets_a_short_task_finish_and_begins_no_other(shop: Workshop) -> None:
    held = Held()
    job = shop.desk.job()

    def probe(task: TaskContext) -> TaskResult:
        held(task)
        return TaskResult(tasks=[NewTask(name="step", kind="step")])

    worker = Woken(shop.resources.broker, shop.runner({"probe": probe, "step": lambda _: TaskResult()}))
    worker.start()
    assert held.began.wait(30)

    def hurried(_: float) -> bool:
        held.let_go.set()  # only once the worker is waiting for it
        return False

    worker.let_finish(NEVER_S, hurried)
    worker.stop()
    assert shop.desk.statuses(job) == {"probe": TaskStatus.COMPLETED, "step": TaskStatus.QUEUED}
    assert outcomes(shop, job) == [Outcome.COMPLETED]


def test_a_task_that_will_not_end_in_time_is_handed_back_at_once(shop: Workshop) -> None:
    held = Held()
    job = shop.desk.job()

    def probe(task: TaskContext) -> TaskResult:
        task.progress(1e-9)
        return held(task)

    worker = Woken(shop.resources.broker, shop.runner({"probe": probe}))
    worker.start()
    assert held.began.wait(30)
    worker.let_finish(NEVER_S, lambda _: False)
    worker.stop()
    assert (held.reasons, outcomes(shop, job)) == (["ShuttingDown"], [Outcome.HANDED_BACK])
    assert shop.desk.tasks(job)["probe"].attempts == 0


def test_a_worker_in_a_hurry_waits_for_nothing(shop: Workshop) -> None:
    held = Held()
    job = shop.desk.job()
    worker = Woken(shop.resources.broker, shop.runner({"probe": held}))
    worker.start()
    assert held.began.wait(30)
    worker.let_finish(NEVER_S, lambda _: True)
    worker.stop()
    assert outcomes(shop, job) == [Outcome.HANDED_BACK]


def test_when_the_grace_is_over_the_rest_is_handed_back(shop: Workshop) -> None:
    held = Held()
    job = shop.desk.job()
    worker = Woken(shop.resources.broker, shop.runner({"probe": held}))
    worker.start()
    assert held.began.wait(30)
    worker.let_finish(0.3, lambda wait_s: bool(threading.Event().wait(wait_s)))
    worker.stop()
    assert outcomes(shop, job) == [Outcome.HANDED_BACK]
