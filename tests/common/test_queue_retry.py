"""A failed job is tried again, and an ended one removed."""

from __future__ import annotations

from uuid import uuid4

import pytest
from common.desk import NOTHING, Desk, made

from mill_common.errors import ChildFailed, SourceUnreadable
from mill_common.models import Attempt, Job, Output, Task, TaskNeed
from mill_common.queue import JobNotFailed, JobNotFound, JobRunning, NewTask
from mill_common.states import JobStatus, TaskStatus

CHAIN = [
    NewTask(name="audio", kind="x"),
    NewTask(name="encode", kind="x"),
    NewTask(name="publish", kind="x", needs=["audio", "encode"]),
]


def test_a_retry_runs_only_what_failed_and_what_waited_for_it(desk: Desk) -> None:
    job = desk.planned(*CHAIN)
    claims = desk.claims(2)
    desk.finish(claims["audio"], made("audio.mp3"))
    desk.fail(claims["encode"], SourceUnreadable())
    assert desk.retry(job) == {"transcode"}
    ran = []
    while (claim := desk.take()) is not None:
        ran.append(claim.name)
        desk.finish(claim)
    assert ran == ["encode", "publish"]
    assert desk.status(job) is JobStatus.COMPLETED
    assert set(desk.outputs(job)) == {"audio.mp3"}


def test_a_retry_clears_the_job_s_error(desk: Desk) -> None:
    job = desk.job()
    desk.fail(desk.claim(), SourceUnreadable())
    desk.retry(job)
    row = desk.row(job)
    assert (row.status, row.error_code, row.error_message, row.failed_task, row.completed_at) == (
        JobStatus.QUEUED,
        *[None] * 4,
    )


def test_a_retry_releases_what_was_held(desk: Desk) -> None:
    job = desk.planned(*CHAIN)
    desk.fail(desk.claim(), SourceUnreadable())
    assert desk.statuses(job)["encode"] is TaskStatus.BLOCKED
    desk.retry(job)
    assert {desk.claim().name, desk.claim().name} == {"audio", "encode"}


def test_a_retry_leaves_alone_what_still_runs(desk: Desk) -> None:
    job = desk.planned(*CHAIN)
    claims = desk.claims(2)
    desk.fail(claims["audio"], SourceUnreadable())
    desk.retry(job)
    desk.finish(claims["encode"])
    desk.finish(desk.claim())
    assert desk.claim().name == "publish"


def test_a_retried_task_has_a_fresh_budget(desk: Desk) -> None:
    job = desk.job()
    for _ in range(2):
        claims = 0
        while (claim := desk.take()) is not None:
            claims += 1
            desk.fail(claim, ChildFailed())
            desk.due(claim.task_id)
        assert claims == desk.policy.max_attempts
        desk.retry(job)


def test_a_retried_task_has_no_crashes_on_its_account(desk: Desk) -> None:
    job = desk.job()
    for _ in range(3):
        desk.crash(desk.claim())
    assert desk.status(job) is JobStatus.FAILED
    desk.retry(job)
    desk.crash(desk.claim())
    assert desk.statuses(job) == {"probe": TaskStatus.RETRYING}


@pytest.mark.parametrize("status", ["queued", "processing", "completed", "cancelled"])
def test_only_a_failed_job_is_retried(desk: Desk, status: str) -> None:
    job = desk.job()
    if status != "queued":
        claim = desk.claim()
        if status == "completed":
            desk.finish(claim)
        elif status == "cancelled":
            desk.cancel(job)
    before = desk.statuses(job)
    with pytest.raises(JobNotFailed, match=status):
        desk.retry(job)
    assert desk.statuses(job) == before


def test_a_running_job_is_not_deleted(desk: Desk) -> None:
    job = desk.job()
    with pytest.raises(JobRunning):
        desk.delete(job)
    desk.claim()
    with pytest.raises(JobRunning):
        desk.delete(job)
    assert desk.count(Job) == 1


def test_a_cancelled_job_is_not_deleted_before_its_processes_have_stopped(desk: Desk) -> None:
    job = desk.job()
    claim = desk.claim()
    desk.cancel(job)
    with pytest.raises(JobRunning):
        desk.delete(job)
    desk.queue.acknowledge_cancel(claim, NOTHING)
    desk.delete(job)
    assert desk.count(Job) == 0


def test_a_failed_job_is_not_deleted_while_another_task_of_it_runs(desk: Desk) -> None:
    job = desk.planned(*CHAIN)
    claims = desk.claims(2)
    desk.fail(claims["audio"], SourceUnreadable())
    with pytest.raises(JobRunning):
        desk.delete(job)


def test_deleting_a_job_removes_its_rows_and_names_its_objects(desk: Desk) -> None:
    job = desk.job()
    other = desk.job()
    desk.finish(desk.claim(), made("360p.mp4", object_key="jobs/1/360p.mp4"), made("hls/", object_key="jobs/1/hls/"))
    assert {"jobs/1/360p.mp4", "jobs/1/hls/"} <= set(desk.delete(job))
    assert [desk.count(table) for table in (Job, Task, TaskNeed, Attempt, Output)] == [1, 1, 0, 0, 0]
    assert desk.status(other) is JobStatus.QUEUED


def test_an_unknown_job_is_neither_retried_nor_deleted(desk: Desk) -> None:
    with pytest.raises(JobNotFound):
        desk.retry(uuid4())
    with pytest.raises(JobNotFound):
        desk.delete(uuid4())
