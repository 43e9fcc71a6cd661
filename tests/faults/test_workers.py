"""Workers die, freeze and come back."""

from __future__ import annotations

import signal

import psutil
import pytest
from faults.cluster import SPEC, Cluster
from faults.moments import CLAIM, COMMIT, COMPLETION, OUTPUTS
from faults.recovery import Recovery
from faults.turnstile import ARGUMENTS
from wire import Wire

from mill_common.models import Outcome
from mill_common.queue import HEARTBEAT_TIMEOUT
from mill_common.states import JobStatus, TaskStatus

COMPLETED, EXPIRED, RETRYING = Outcome.COMPLETED, Outcome.LEASE_EXPIRED, Outcome.RETRYING


@pytest.mark.fault("worker: kill -9 mid-encode", "its child dies with it; another worker does the step again")
def test_a_worker_killed_while_it_encodes_is_replaced(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("hold", "libx264")
    cluster.start("watchdog")
    cluster.start("transcoder", keep=True)
    job = cluster.job()
    task, child = cluster.held("encode")
    cluster.worker_of(task).kill()
    with recovery:
        cluster.until(lambda: not psutil.pid_exists(child))
        cluster.turnstile.open()
        cluster.until_completed(job)
    assert cluster.outcomes(task.id) == [EXPIRED, COMPLETED]


@pytest.mark.fault("worker: kill -9 before its claim is written", "nothing was taken; another worker claims it")
def test_a_worker_killed_before_its_claim_has_taken_nothing(cluster: Cluster, recovery: Recovery) -> None:
    job = cluster.job()
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(CLAIM)
        dying = cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        cluster.until(stop.reached.is_set)
        dying.kill()
        stop.release(hang_up=True)
        with recovery:
            cluster.start("transcoder")
            cluster.until_completed(job)
    assert {attempt.epoch for attempt in cluster.attempts()} == {1}


@pytest.mark.fault(
    "worker: kill -9 after its claim is written, before the answer", "its lease ends; one crash is counted"
)
def test_a_worker_killed_after_its_claim_loses_it_with_the_lease(cluster: Cluster, recovery: Recovery) -> None:
    cluster.start("watchdog")
    job = cluster.job()
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(CLAIM, then=COMMIT, after=True)
        dying = cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        cluster.until(stop.reached.is_set)
        dying.kill()
        with recovery:
            cluster.start("transcoder")
            cluster.until_completed(job)
    probe = cluster.desk.tasks(job)["probe"]
    assert (cluster.outcomes(probe.id), probe.crashes) == ([EXPIRED, COMPLETED], 1)


@pytest.mark.fault(
    "worker: kill -9 after upload, before commit", "the step is done again; what was uploaded is published by nobody"
)
def test_a_worker_killed_before_it_commits_publishes_nothing(cluster: Cluster, recovery: Recovery) -> None:
    cluster.start("watchdog")
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(OUTPUTS)
        dying = cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job()
        cluster.until(stop.reached.is_set)
        [held] = [task for task in cluster.desk.tasks(job).values() if task.status is TaskStatus.RUNNING]
        left = {stat.key for stat in cluster.store.list(f"jobs/{job}/{held.id}-1/")}
        dying.kill()
        stop.release(hang_up=True)
        with recovery:
            cluster.start("transcoder")
            cluster.until_completed(job)
    assert cluster.outcomes(held.id) == [EXPIRED, COMPLETED]
    assert left
    assert not left & {output.object_key for output in cluster.desk.outputs(job).values()}


@pytest.mark.fault("worker: kill -9 after its COMMIT, before the answer", "the step is done, and is not done again")
def test_a_worker_killed_after_it_committed_has_done_its_step(cluster: Cluster, recovery: Recovery) -> None:
    cluster.start("watchdog")
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(OUTPUTS, then=COMMIT, after=True)
        dying = cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job()
        cluster.until(stop.reached.is_set)
        dying.kill()
        with recovery:
            cluster.start("transcoder")
            cluster.until_completed(job)
    stored = {output.task_id for output in cluster.desk.outputs(job).values()}
    assert all(cluster.outcomes(task)[-1] is COMPLETED for task in stored)
    first = min(
        (one for one in cluster.attempts(outcome=COMPLETED)), key=lambda one: (one.task_id not in stored, one.ended_at)
    )
    assert cluster.outcomes(first.task_id) == [COMPLETED]


@pytest.mark.fault("child: kill -9", "a failed attempt, and the next one does it")
def test_a_child_that_was_killed_costs_one_attempt(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("hold", "libx264")
    cluster.start("watchdog")
    cluster.start("transcoder")
    job = cluster.job()
    task, child = cluster.held("encode")
    psutil.Process(child).kill()
    with recovery:
        cluster.turnstile.open()
        cluster.until_completed(job)
    assert cluster.outcomes(task.id) == [RETRYING, COMPLETED]


@pytest.mark.fault(
    "worker: SIGSTOP past its lease, then SIGCONT", "another worker does the step; the late one writes nothing"
)
def test_a_worker_that_overslept_its_lease_writes_nothing(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("hold", "libx264")
    cluster.start("watchdog")
    cluster.start("transcoder")
    job = cluster.job()
    task, _ = cluster.held("encode")
    late = cluster.worker_of(task)
    late.signal(signal.SIGSTOP)
    cluster.start("transcoder")
    with recovery:
        cluster.until(lambda: cluster.desk.task(task.id).epoch == 2)
        cluster.turnstile.open()
        cluster.until_completed(job)
    late.signal(signal.SIGCONT)
    cluster.until(lambda: late.said("lease_lost"))
    assert cluster.outcomes(task.id) == [EXPIRED, COMPLETED]
    cluster.until_completed(cluster.job(), cluster.job())


@pytest.mark.fault("worker: SIGSTOP before it commits, then SIGCONT", "its completion is refused")
def test_a_completion_that_comes_after_the_lease_writes_nothing(cluster: Cluster, recovery: Recovery) -> None:
    cluster.start("watchdog")
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(COMPLETION)
        late = cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job()
        cluster.until(stop.reached.is_set)
        late.signal(signal.SIGSTOP)
        cluster.turnstile.rule("hold", ARGUMENTS["probe"])
        cluster.start("transcoder")
        with recovery:
            task, _ = cluster.held("probe")
            late.signal(signal.SIGCONT)
            stop.release()
            cluster.until(lambda: late.said("lease_lost") or late.said("task_completed"))
            assert cluster.outcomes(task.id) == [EXPIRED, None]
            cluster.turnstile.open()
            cluster.until_completed(job)
    assert cluster.outcomes(task.id) == [EXPIRED, COMPLETED]


@pytest.mark.fault("a task that always kills its worker", "after three crashes it is a dead letter; others go on")
def test_a_poison_task_is_buried_after_three_crashes(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("poison", "libx264*144p.mp4")
    cluster.start("watchdog")
    cluster.start("transcoder", keep=True)
    with recovery:
        poison = cluster.job(spec=SPEC.model_copy(update={"renditions": (144,)}))
        others = [cluster.job(), cluster.job("grace")]
        cluster.until_ended(poison, *others)
    assert [cluster.status(job) for job in others] == [JobStatus.COMPLETED] * 2
    assert cluster.desk.row(poison).error_code == HEARTBEAT_TIMEOUT
    buried = cluster.desk.tasks(poison)["encode-000"]
    assert (buried.status, cluster.outcomes(buried.id)) == (TaskStatus.FAILED, [EXPIRED] * 3)


@pytest.mark.fault(
    "workers: SIGTERM one after the other, under load", "work is handed back and refunded; no crash is counted"
)
def test_a_rolling_restart_costs_no_attempt(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("hold", "libx264")
    cluster.start("watchdog")
    old = [cluster.start("transcoder") for _ in range(2)]
    jobs = [cluster.job(owner) for owner in ("ada", "grace", "mary")]
    task, _ = cluster.held("encode")
    with recovery:
        for worker in old:
            assert worker.stop() == 0
            cluster.start("transcoder")
        cluster.turnstile.open()
        cluster.until_completed(*jobs)
    assert cluster.outcomes(task.id) == [Outcome.HANDED_BACK, COMPLETED]
    assert {attempt.outcome for attempt in cluster.attempts()} == {Outcome.HANDED_BACK, COMPLETED}
