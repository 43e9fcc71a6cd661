"""Watchdogs die, alone and in pairs."""

from __future__ import annotations

import pytest
from faults.cluster import Cluster
from faults.moments import COMMIT, REAPING
from faults.recovery import Recovery
from wire import Wire

from mill_common.models import Outcome


@pytest.mark.fault("watchdog: kill -9, and none for a while", "nothing is lost; the next one mends what has piled up")
def test_a_watchdog_that_comes_back_mends_what_has_piled_up(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("hold", "libx264")
    watchdog = cluster.start("watchdog")
    dying = cluster.start("transcoder")
    job = cluster.job()
    task, _ = cluster.held("encode")
    watchdog.kill()
    dying.kill()
    cluster.turnstile.open()
    cluster.start("transcoder")
    quick = cluster.job("grace")
    cluster.until_completed(quick)
    cluster.start("watchdog")
    with recovery:
        cluster.until_completed(job)
    assert cluster.outcomes(task.id) == [Outcome.LEASE_EXPIRED, Outcome.COMPLETED]


@pytest.mark.fault("two watchdogs, one killed mid-sweep", "the other one mends it, once")
def test_a_watchdog_killed_in_its_sweep_is_replaced_by_its_peer(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("hold", "libx264")
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(REAPING)
        first = cluster.start("watchdog", MILL_DATABASE_URL=wire.url)
        dying = cluster.start("transcoder")
        job = cluster.job()
        task, _ = cluster.held("encode")
        dying.kill()
        cluster.turnstile.open()
        cluster.until(stop.reached.is_set)
        cluster.start("watchdog")
        cluster.start("transcoder")
        first.kill()
        stop.release(hang_up=True)
        with recovery:
            cluster.until_completed(job)
    assert cluster.outcomes(task.id) == [Outcome.LEASE_EXPIRED, Outcome.COMPLETED]
    assert cluster.desk.task(task.id).crashes == 1


@pytest.mark.fault(
    "watchdog: kill -9 after a sweep's COMMIT, before the answer", "what it mended stays so, and is not mended twice"
)
def test_a_watchdog_killed_after_its_sweep_has_mended_it(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("hold", "libx264")
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(REAPING, then=COMMIT, after=True)
        first = cluster.start("watchdog", MILL_DATABASE_URL=wire.url)
        dying = cluster.start("transcoder")
        job = cluster.job()
        task, _ = cluster.held("encode")
        dying.kill()
        cluster.turnstile.open()
        cluster.until(stop.reached.is_set)
        first.kill()
    cluster.start("watchdog")
    cluster.start("transcoder")
    with recovery:
        cluster.until_completed(job)
    assert cluster.outcomes(task.id) == [Outcome.LEASE_EXPIRED, Outcome.COMPLETED]
    assert cluster.desk.task(task.id).crashes == 1
