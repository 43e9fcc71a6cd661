"""ffmpeg hangs, is deaf, or fails."""

from __future__ import annotations

import psutil
import pytest
from faults.cluster import Cluster
from faults.recovery import Recovery

from mill_common.models import Outcome
from mill_common.queue import retry_job
from mill_common.states import JobStatus


@pytest.mark.fault("ffmpeg hangs", "stopped when nothing moves for `MILL_STALL_S` (here 5 s); the step is done again")
def test_a_child_that_hangs_is_stopped(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("hang", "libx264")
    cluster.start("watchdog")
    cluster.start("transcoder", MILL_STALL_S="5")
    job = cluster.job()
    task, child = cluster.held("encode")
    with recovery:
        cluster.turnstile.open()  # for the next one: this one hangs on
        cluster.until(lambda: not psutil.pid_exists(child))
        cluster.until_completed(job)
    assert cluster.outcomes(task.id) == [Outcome.RETRYING, Outcome.COMPLETED]
    assert cluster.desk.attempts(task.id)[0].error_code == "child_stalled"


@pytest.mark.fault("a child that ignores SIGTERM, and a cancellation", "killed after ten seconds")
def test_a_child_that_ignores_sigterm_is_killed(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("deaf", "libx264")
    cluster.start("watchdog")
    cluster.start("transcoder")
    job = cluster.job()
    task, child = cluster.held("encode")
    cluster.desk.cancel(job)
    with recovery:
        cluster.until_ended(job)
    assert not psutil.pid_exists(child)
    assert cluster.outcomes(task.id) == [Outcome.CANCELLED]
    cluster.turnstile.open()
    cluster.until_completed(cluster.job())


@pytest.mark.fault(
    "a child that ignores SIGTERM, and SIGTERM to its worker", "killed after ten seconds; its step is handed back"
)
def test_a_worker_whose_child_ignores_sigterm_hands_its_work_back(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("deaf", "libx264")
    cluster.start("watchdog")
    worker = cluster.start("transcoder", MILL_STOP_GRACE_S="0")
    job = cluster.job()
    task, child = cluster.held("encode")
    with recovery:
        assert worker.stop() == 0
        assert not psutil.pid_exists(child)
        cluster.turnstile.open()
        cluster.start("transcoder")
        cluster.until_completed(job)
    assert cluster.outcomes(task.id) == [Outcome.HANDED_BACK, Outcome.COMPLETED]


@pytest.mark.fault("ffmpeg exits with 137, always", "a dead letter after five attempts; a retry by hand runs only that")
def test_a_step_that_always_fails_becomes_a_dead_letter_that_can_be_retried(
    cluster: Cluster, recovery: Recovery
) -> None:
    cluster.turnstile.rule("fail", "poster.jpg")
    cluster.start("watchdog")
    cluster.start("transcoder")
    job = cluster.job()
    cluster.until_ended(job)
    row = cluster.desk.row(job)
    assert (row.status, row.error_code, row.failed_task) == (JobStatus.FAILED, "child_failed", "thumbnails")
    assert len(cluster.outcomes(cluster.desk.tasks(job)["thumbnails"].id)) == 5
    before = {attempt.task_id for attempt in cluster.attempts(outcome=Outcome.COMPLETED)}
    cluster.turnstile.open()
    with recovery:
        cluster.database.run(lambda session: retry_job(session, job, cluster.desk.policy))
        cluster.dispatcher.wake("transcode")
        cluster.until_completed(job)
    assert all(len(cluster.outcomes(task)) == 1 for task in before)
