"""While something that tasks need is down, no task uses up its attempts."""

from __future__ import annotations

import pytest
from common.desk import Desk
from sqlalchemy.exc import OperationalError

from mill_common.errors import ChildFailed, StorageUnavailable
from mill_common.models import Outcome
from mill_common.queue import Policy
from mill_common.states import JobStatus, TaskStatus

DOWN = [StorageUnavailable("503"), OperationalError("SELECT 1", {}, Exception("gone"))]


def _fail_next(desk: Desk, error: BaseException) -> None:
    claim = desk.claim()
    desk.fail(claim, error)
    desk.due(claim.task_id)


@pytest.mark.parametrize("error", DOWN, ids=["storage", "database"])
def test_an_outage_uses_up_no_attempts(desk: Desk, error: BaseException) -> None:
    job = desk.job()
    for _ in range(2 * desk.policy.max_attempts):
        _fail_next(desk, error)
    task = desk.tasks(job)["probe"]
    assert (task.status, task.attempts) == (TaskStatus.RETRYING, 0)
    assert {attempt.outcome for attempt in desk.attempts(task.id)} == {Outcome.POSTPONED}
    desk.finish(desk.claim())
    assert desk.status(job) is JobStatus.COMPLETED


def test_the_waits_of_an_outage_grow_up_to_the_cap(desk: Desk) -> None:
    desk.job()
    waits = []
    for _ in range(9):
        claim = desk.claim()
        desk.fail(claim, StorageUnavailable())
        waits.append(desk.seconds_until(claim.task_id, "run_after"))
        desk.due(claim.task_id)
    assert waits[0] <= desk.policy.retry_base_s
    assert desk.policy.retry_cap_s * 0.4 < waits[-1] <= desk.policy.retry_cap_s


def test_other_failures_count_before_and_after_an_outage(desk: Desk) -> None:
    job = desk.job()
    errors = [ChildFailed(), StorageUnavailable(), StorageUnavailable()] + [ChildFailed()] * 4
    for error in errors:
        assert desk.status(job) is not JobStatus.FAILED
        _fail_next(desk, error)
    assert (desk.status(job), desk.row(job).error_code) == (JobStatus.FAILED, "child_failed")


def test_an_outage_without_end_makes_a_dead_letter(desk: Desk) -> None:
    patience = Policy(max_attempts=2, max_outages=3)
    impatient = Desk(desk.database, patience)
    job = impatient.job()
    for _ in range(patience.max_attempts + patience.max_outages):
        assert impatient.status(job) is not JobStatus.FAILED
        _fail_next(impatient, StorageUnavailable())
    assert (impatient.status(job), impatient.row(job).error_code) == (JobStatus.FAILED, "storage_unavailable")
    claims = impatient.attempts(impatient.tasks(job)["probe"].id)
    assert len(claims) == patience.max_attempts + patience.max_outages
