"""States follow from states."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mill_common.states import CLAIMABLE, ENDED, JOB_ENDED, TRANSITIONS, WAITING, JobStatus, TaskStatus, roll_up


@given(st.lists(st.sampled_from(TaskStatus), min_size=1))
def test_a_job_s_status_follows_from_its_tasks(tasks: list[TaskStatus]) -> None:
    status = roll_up(tasks)
    assert (status is JobStatus.CANCELLED) == (TaskStatus.CANCELLED in tasks)
    assert (status is JobStatus.COMPLETED) == (set(tasks) == {TaskStatus.COMPLETED})
    assert status is not JobStatus.FAILED or TaskStatus.FAILED in tasks
    assert status is not JobStatus.QUEUED or set(tasks) <= {TaskStatus.QUEUED, TaskStatus.BLOCKED}
    if status is JobStatus.PROCESSING:
        assert not {TaskStatus.FAILED, TaskStatus.CANCELLED} & set(tasks)
    assert roll_up(tasks[::-1]) is status


def test_a_job_without_tasks_has_no_status() -> None:
    with pytest.raises(ValueError, match="at least one"):
        roll_up([])


def test_every_status_has_its_transitions_and_only_two_are_final() -> None:
    assert set(TRANSITIONS) == set(TaskStatus)
    assert {status for status, following in TRANSITIONS.items() if not following} == {
        TaskStatus.COMPLETED,
        TaskStatus.CANCELLED,
    }
    assert all(TaskStatus.RUNNING in TRANSITIONS[status] for status in CLAIMABLE)
    assert all(TaskStatus.CANCELLED in TRANSITIONS[status] for status in WAITING)
    assert WAITING | ENDED | {TaskStatus.RUNNING} == set(TaskStatus)
    assert {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED} == JOB_ENDED
