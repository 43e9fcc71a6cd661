"""PostgreSQL crashes and comes back; connections break at the worst moments."""

from __future__ import annotations

import signal
import time

import pytest
from faults.cluster import Cluster
from faults.moments import CLAIM, COMMIT, HEARTBEAT, OUTPUTS, PLAN, REAPING
from faults.recovery import Recovery
from wire import Wire

from mill_common.models import Outcome
from mill_common.states import TaskStatus

MOMENTS = {
    "claim": CLAIM,
    "heartbeat": HEARTBEAT,
    "finish": OUTPUTS,
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.fault(
    "PostgreSQL: immediate restart in the middle of a transaction", "the transaction never was; work goes on"
)
def test_postgres_crashes_during(cluster: Cluster, recovery: Recovery, moment: str) -> None:
    cluster.start("watchdog")
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(MOMENTS[moment])
        worker = cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job()
        cluster.until(stop.reached.is_set)
        cluster.grounds.postgres.crash()
        stop.release()
        cluster.grounds.postgres.start()
        with recovery:
            cluster.until_completed(job)
        assert worker.alive


@pytest.mark.fault("PostgreSQL: immediate restart during a sweep", "the next sweep mends it, once")
def test_postgres_crashes_during_a_sweep(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("hold", "libx264")
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(REAPING)
        cluster.start("watchdog", MILL_DATABASE_URL=wire.url)
        dying = cluster.start("transcoder")
        job = cluster.job()
        task, _ = cluster.held("encode")
        dying.kill()
        cluster.turnstile.open()
        cluster.until(stop.reached.is_set)
        cluster.grounds.postgres.crash()
        stop.release()
        cluster.grounds.postgres.start()
        cluster.start("transcoder")
        with recovery:
            cluster.until_completed(job)
    assert cluster.outcomes(task.id) == [Outcome.LEASE_EXPIRED, Outcome.COMPLETED]
    assert cluster.desk.task(task.id).crashes == 1


@pytest.mark.fault(
    "PostgreSQL: away for longer than a lease, with work running", "running work is put down and done again"
)
def test_postgres_stays_away_for_longer_than_a_lease(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("hold", "libx264")
    cluster.start("watchdog")
    worker = cluster.start("transcoder")
    job = cluster.job()
    cluster.held("encode")
    cluster.grounds.postgres.crash()
    cluster.until(lambda: worker.said("lease_lost"))
    cluster.turnstile.open()
    cluster.grounds.postgres.start()
    with recovery:
        cluster.until_completed(job)
    assert worker.alive


@pytest.mark.parametrize("step", ["probe", "audio"])
@pytest.mark.fault(
    "the connection breaks while COMMIT's answer is on its way", "the worker asks again; the step counts once"
)
def test_a_completion_whose_answer_was_lost_counts_once(cluster: Cluster, recovery: Recovery, step: str) -> None:
    writes = {"probe": PLAN, "audio": OUTPUTS}
    cluster.start("watchdog")
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(writes[step], then=COMMIT, after=True)
        cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job()
        with recovery:
            cluster.until(stop.reached.is_set)
            cluster.until_completed(job)
    assert {(attempt.epoch, attempt.outcome) for attempt in cluster.attempts()} == {(1, Outcome.COMPLETED)}


@pytest.mark.fault("PostgreSQL: refuses connections for a while", "services wait; jobs go on by themselves")
def test_services_wait_for_a_database_that_is_stopped(cluster: Cluster, recovery: Recovery) -> None:
    job = cluster.job()
    cluster.grounds.postgres.stop()
    cluster.start("watchdog")
    worker = cluster.start("transcoder")
    time.sleep(3)
    cluster.grounds.postgres.start()
    with recovery:
        cluster.until_completed(job)
    assert worker.alive
    assert {task.status for task in cluster.desk.tasks(job).values()} == {TaskStatus.COMPLETED}


@pytest.mark.fault(
    "the connection breaks while the answer to a claim's COMMIT is on its way",
    "the worker finds what it holds, and hands it back; no attempt is lost",
)
def test_a_claim_whose_answer_was_lost_is_made_again(cluster: Cluster, recovery: Recovery) -> None:
    cluster.start("watchdog")
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(CLAIM, then=COMMIT, after=True)
        job = cluster.job()
        cluster.start("transcoder", MILL_DATABASE_URL=wire.url, MILL_LEASE_S="3600")
        with recovery:
            cluster.until(stop.reached.is_set)
            cluster.until_completed(job)
    probe = cluster.desk.tasks(job)["probe"]
    assert (cluster.outcomes(probe.id), probe.crashes) == ([Outcome.HANDED_BACK, Outcome.COMPLETED], 0)


@pytest.mark.fault("worker: SIGSTOP inside a transaction", "the database ends it after 15 s; another one does the step")
def test_a_worker_frozen_inside_a_transaction_gives_its_rows_up(cluster: Cluster, recovery: Recovery) -> None:
    cluster.start("watchdog")
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(OUTPUTS)
        frozen = cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job()
        cluster.until(stop.reached.is_set)
        frozen.signal(signal.SIGSTOP)
        cluster.start("transcoder")
        with recovery:
            cluster.until_completed(job)
        frozen.signal(signal.SIGCONT)
        stop.release()
        cluster.until(lambda: frozen.said("lease_lost"))
