"""Object storage and scratch fail in every way that a network and a disk can."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from faults.cluster import Cluster
from faults.grounds import Mount
from faults.recovery import Recovery
from servers import S3
from wire import Wire, endpoint, s3_by_way_of

from mill_common.models import Outcome

COMPLETED, POSTPONED = Outcome.COMPLETED, Outcome.POSTPONED


@pytest.mark.fault("S3: down and back", "steps are put off, which costs no attempt; the job is completed")
def test_storage_comes_back(cluster: Cluster, recovery: Recovery) -> None:
    job = cluster.job()
    cluster.grounds.s3.stop(kill=True)
    cluster.start("watchdog")
    worker = cluster.start("transcoder")
    cluster.until(lambda: _outlasts_attempts(cluster))
    cluster.grounds.s3.start()
    with recovery:
        cluster.until_completed(job)
    assert worker.alive
    assert _outcomes(cluster) == {COMPLETED, POSTPONED}


@pytest.mark.fault("S3: slow", "slow is not dead: the lease is kept, nothing is done twice")
def test_slow_storage_only_takes_longer(cluster: Cluster, recovery: Recovery) -> None:
    with Wire(endpoint(cluster.storage_url)) as wire:
        wire.bytes_per_s = 400_000
        cluster.start("watchdog")
        cluster.start("transcoder", MILL_STORAGE_URL=s3_by_way_of(wire, cluster.storage_url))
        with recovery:
            cluster.until_completed(cluster.job())
    assert {(attempt.epoch, attempt.outcome) for attempt in cluster.attempts()} == {(1, Outcome.COMPLETED)}


@pytest.mark.fault("S3: answers 503", "steps are put off, which costs no attempt; the job is completed")
def test_storage_that_is_busy_is_asked_again(cluster: Cluster, recovery: Recovery) -> None:
    with Wire(endpoint(cluster.storage_url)) as wire:
        wire.unavailable = True
        cluster.start("watchdog")
        cluster.start("transcoder", MILL_STORAGE_URL=s3_by_way_of(wire, cluster.storage_url))
        job = cluster.job()
        cluster.until(lambda: _outlasts_attempts(cluster))
        wire.unavailable = False
        with recovery:
            cluster.until_completed(job)
    assert _outcomes(cluster) == {COMPLETED, POSTPONED}


@pytest.mark.fault("S3: an upload is cut off in the middle", "it is sent again; nothing half is published")
def test_uploads_that_are_cut_off_are_sent_again(cluster: Cluster, recovery: Recovery) -> None:
    with Wire(endpoint(cluster.storage_url)) as wire:
        wire.truncate_puts = 8  # more than the client itself repeats
        cluster.start("watchdog")
        cluster.start("transcoder", MILL_STORAGE_URL=s3_by_way_of(wire, cluster.storage_url))
        job = cluster.job()
        with recovery:
            cluster.until_completed(job)
        assert wire.truncate_puts == 0
    assert _outcomes(cluster) == {COMPLETED, POSTPONED}


@pytest.mark.fault("disk full: scratch", "the step is put off, which costs no attempt, until there is space")
def test_a_full_scratch_disk_costs_no_attempts(cluster: Cluster, recovery: Recovery, tmp_path: Path) -> None:
    with _mounted(tmp_path / "scratch", 64 << 10) as disk:
        cluster.start("watchdog")
        # The disk fills up after the claim: a worker that sees no room before it claims nothing.
        cluster.start("transcoder", MILL_SCRATCH_DIR=str(disk.folder), MILL_SCRATCH_FREE_BYTES="0")
        job = cluster.job()
        cluster.until(lambda: _outlasts_attempts(cluster))
        disk.resize(256 << 20)
        with recovery:
            cluster.until_completed(job)
    assert _outcomes(cluster) == {COMPLETED, POSTPONED}


@pytest.mark.fault("disk full: storage", "the step is put off, which costs no attempt, until there is space")
def test_a_full_object_store_costs_no_attempts(
    small_store: tuple[S3, Mount], cluster: Cluster, recovery: Recovery
) -> None:
    server, disk = small_store
    with server.bucket() as url:
        cluster.store_at(url)
        job = cluster.job()
        ballast = disk.folder / "ballast"
        with pytest.raises(OSError, match="No space"):
            ballast.write_bytes(bytes(64 << 20))
        cluster.start("watchdog")
        cluster.start("transcoder")
        cluster.until(lambda: _outlasts_attempts(cluster))
        ballast.unlink()
        with recovery:
            cluster.until_completed(job)
        assert _outcomes(cluster) == {COMPLETED, POSTPONED}


@pytest.fixture
def small_store() -> Iterator[tuple[S3, Mount]]:
    """An S3 server on a small disk. Asked for before the cluster, it is there for the oracle's last look."""
    server = S3()
    try:
        with _mounted(server.folder / "devices", 32 << 20) as disk, server:
            yield server, disk
    finally:
        server.close()


def _outlasts_attempts(cluster: Cluster) -> bool:
    """Whether an outage has lasted for more attempts than a task has."""
    put_off = cluster.attempts(outcome=POSTPONED)
    assert {attempt.error_code for attempt in put_off} <= {"storage_unavailable"}
    return len(put_off) > cluster.desk.policy.max_attempts


def _outcomes(cluster: Cluster) -> set[Outcome | None]:
    return {attempt.outcome for attempt in cluster.attempts()}


@contextmanager
def _mounted(folder: Path, size: int) -> Iterator[Mount]:
    if os.getuid() != 0:
        pytest.skip("a small disk can be mounted by root alone")
    disk = Mount(folder, size)
    try:
        yield disk
    finally:
        disk.close()
