"""A worker whose clock is wrong, or that cannot reach one of its servers."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from faults.cluster import LEASE_S, Cluster
from faults.recovery import Recovery
from wire import Wire

from mill_common.models import Outcome, Task

COMPLETED, EXPIRED = Outcome.COMPLETED, Outcome.LEASE_EXPIRED


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
            cluster.until(lambda: not psutil.pid_exists(child))
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
