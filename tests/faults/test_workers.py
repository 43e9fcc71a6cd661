"""Workers die, freeze and come back."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from faults.cluster import LEASE_S, SPEC, Cluster
from faults.recovery import Recovery
from faults.turnstile import ARGUMENTS
from waiting import WAIT_S
from wire import Wire

from mill_common.models import Outcome, Task
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
        stop = wire.stop_at(b"SKIP LOCKED")
        dying = cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        assert stop.reached.wait(WAIT_S)
        dying.kill()
        stop.release(hang_up=True)
        with recovery:
            cluster.start("transcoder")
            cluster.until_completed(job)
    assert {attempt.epoch for attempt in cluster.attempts()} == {1}


@pytest.mark.fault(
    "worker: kill -9 after upload, before commit", "the step is done again; what was uploaded is published by nobody"
)
def test_a_worker_killed_before_it_commits_publishes_nothing(cluster: Cluster, recovery: Recovery) -> None:
    cluster.start("watchdog")
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(b"INSERT INTO output")
        dying = cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job()
        assert stop.reached.wait(WAIT_S)
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
        stop = wire.stop_at(b"INSERT INTO output", then=b"COMMIT", after=True)
        dying = cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job()
        assert stop.reached.wait(WAIT_S)
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
        stop = wire.stop_at(b"UUID FOR UPDATE")  # the first words of a completion
        late = cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job()
        assert stop.reached.wait(WAIT_S)
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


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that moves the clock of the process that it is loaded into."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a clock can be moved only where there is a C compiler")
    library = tmp_path_factory.mktemp("clock") / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source)], check=True)
    return library


@pytest.mark.on_files  # S3 refuses requests whose clock is more than a quarter of an hour off
@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.fault("worker: clock an hour off", "no difference: only the database's clock counts")
def test_a_worker_with_a_wrong_clock_works_as_any_other(
    cluster: Cluster, recovery: Recovery, clock: Path, hours: int
) -> None:
    cluster.start("watchdog")
    wrong = cluster.start("transcoder", LD_PRELOAD=str(clock), CLOCK_OFFSET_S=str(hours * 3600))
    cluster.start("transcoder")
    cluster.turnstile.rule("hold", "libx264")
    with recovery:
        jobs = [cluster.job(), cluster.job("grace")]
        cluster.until(lambda: len(cluster.turnstile.met()) == 2)  # both workers hold a lease, and keep it
        cluster.until(lambda: all(map(_kept_for_longer_than_a_lease, cluster.all_running())))
        cluster.turnstile.open()
        cluster.until_completed(*jobs)
    assert {attempt.outcome for attempt in cluster.attempts()} == {COMPLETED}
    said = datetime.fromisoformat(json.loads(wrong.log.read_text().splitlines()[0])["timestamp"])
    assert abs(said - datetime.now(UTC)) > timedelta(minutes=45)


@pytest.mark.parametrize("how", ["cut", "freeze"])
@pytest.mark.fault(
    "worker: cut off from PostgreSQL alone", "it puts its task down within the lease; another worker does it"
)
def test_a_worker_without_its_database_puts_its_task_down(cluster: Cluster, recovery: Recovery, how: str) -> None:
    cluster.turnstile.rule("hold", "libx264")
    cluster.start("watchdog")
    with Wire(cluster.database_url) as wire:
        cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job()
        task, child = cluster.held("encode")
        getattr(wire, how)()
        with recovery:
            cluster.until(lambda: not psutil.pid_exists(child), patience_s=30)
            cluster.turnstile.open()
            other = cluster.start("transcoder")
            cluster.until_completed(job)
        assert cluster.outcomes(task.id) == [EXPIRED, COMPLETED]
        assert other.stop() == 0
        wire.mend()
        wire.thaw()
        cluster.until_completed(cluster.job())


@pytest.mark.fault("worker: cut off from Redis alone", "it goes on by looking at the rows")
def test_a_worker_without_redis_looks_at_the_rows(cluster: Cluster, recovery: Recovery) -> None:
    cluster.start("watchdog")
    with Wire(cluster.broker_url) as wire:
        worker = cluster.start("transcoder", MILL_BROKER_URL=wire.url)
        cluster.until_completed(cluster.job())
        wire.cut()
        with recovery:
            cluster.until_completed(cluster.job())
        assert worker.alive
        wire.mend()
        cluster.until_completed(cluster.job())


def _kept_for_longer_than_a_lease(task: Task) -> bool:
    assert task.heartbeat_at and task.started_at
    return (task.heartbeat_at - task.started_at).total_seconds() > LEASE_S
