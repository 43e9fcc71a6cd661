"""When a worker takes itself for broken."""

from __future__ import annotations

from uuid import UUID

import pytest

from mill_common.errors import ChildFailed, LeaseLost, SourceUnreadable, TaskCancelled
from mill_common.worker.breaker import Breaker

TASKS = [UUID(int=number) for number in range(20)]


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """Pauses after three failures, for 10, 20, and at most 30 seconds."""
    return Breaker(after=3, pause_s=10.0, cap_s=30.0, clock=clock)


def fail(breaker: Breaker, task: UUID, error: Exception | None = None) -> None:
    breaker.began(task)
    breaker.ended(task, error or ChildFailed())


def pause(breaker: Breaker) -> None:
    for task in TASKS[:3]:
        fail(breaker, task)


def test_failures_of_different_tasks_in_a_row_are_a_pause(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, TASKS[0])
    fail(breaker, TASKS[1], ZeroDivisionError())
    assert (breaker.allows(), breaker.reason) == (True, None)
    fail(breaker, TASKS[2])
    assert not breaker.allows()
    assert breaker.reason == "3 tasks failed in a row, the last with child_failed"
    clock.now += 9.9
    assert not breaker.allows()
    clock.now += 0.2
    assert breaker.allows()


def test_one_task_that_fails_again_and_again_is_none(breaker: Breaker) -> None:
    for _ in range(10):
        fail(breaker, TASKS[0])
    assert breaker.allows()


def test_a_success_in_between_begins_the_count_anew(breaker: Breaker) -> None:
    for first in range(0, 12, 3):
        fail(breaker, TASKS[first])
        fail(breaker, TASKS[first + 1])
        breaker.ended(TASKS[first + 2], None)
    assert breaker.allows()


@pytest.mark.parametrize("error", [SourceUnreadable(), TaskCancelled(), LeaseLost()], ids=lambda error: error.code)
def test_what_is_not_the_worker_s_fault_is_not_counted(breaker: Breaker, error: Exception) -> None:
    for task in TASKS:
        fail(breaker, task, error)
    assert breaker.allows()


def test_after_the_pause_one_task_is_tried_and_no_other(breaker: Breaker, clock: Clock) -> None:
    pause(breaker)
    clock.now += 11
    breaker.began(TASKS[5])
    assert not breaker.allows()
    breaker.ended(TASKS[5], None)
    assert (breaker.allows(), breaker.reason) == (True, None)
    breaker.began(TASKS[6])
    assert breaker.allows()


def test_each_failed_trial_doubles_the_pause_up_to_its_cap(breaker: Breaker, clock: Clock) -> None:
    pause(breaker)
    for number, length in enumerate([10, 20, 30, 30]):
        clock.now += length - 1
        assert not breaker.allows()
        clock.now += 1
        assert breaker.allows()
        fail(breaker, TASKS[3 + number])


def test_a_task_from_before_the_pause_does_not_lengthen_it(breaker: Breaker, clock: Clock) -> None:
    breaker.began(TASKS[9])
    pause(breaker)
    breaker.ended(TASKS[9], ChildFailed())
    clock.now += 10
    assert breaker.allows()


def test_a_trial_that_says_nothing_is_followed_by_another(breaker: Breaker, clock: Clock) -> None:
    pause(breaker)
    clock.now += 10
    fail(breaker, TASKS[5], SourceUnreadable())
    assert breaker.allows()
    fail(breaker, TASKS[6])
    assert not breaker.allows()
