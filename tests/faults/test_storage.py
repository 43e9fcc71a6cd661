"""Object storage and scratch fail in every way that a network and a disk can."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from faults.cluster import Cluster
from faults.grounds import Mount
from faults.recovery import Recovery
from servers import S3
from wire import Wire, endpoint, s3_by_way_of

from mill_common.models import Outcome

PATIENT = {"MILL_MAX_ATTEMPTS": "60"}  # retries here come after a second at most; by default after up to ten minutes


@pytest.mark.fault("S3: down and back", "steps are retried; the job is completed")
def test_storage_comes_back(cluster: Cluster, recovery: Recovery) -> None:
    job = _patient(cluster)
    cluster.grounds.s3.stop(kill=True)
    cluster.start("watchdog")
    worker = cluster.start("transcoder", settings=PATIENT)
    cluster.until(lambda: _failures(cluster))
    cluster.grounds.s3.start()
    with recovery:
        cluster.until_completed(job)
    assert worker.alive
    assert _failures(cluster) == {"storage_unavailable"}


@pytest.mark.fault("S3: slow", "slow is not dead: the lease is kept, nothing is done twice")
def test_slow_storage_only_takes_longer(cluster: Cluster, recovery: Recovery) -> None:
    with Wire(endpoint(cluster.storage_url)) as wire:
        wire.bytes_per_s = 400_000
        cluster.start("watchdog")
        cluster.start("transcoder", MILL_STORAGE_URL=s3_by_way_of(wire, cluster.storage_url))
        with recovery:
            cluster.until_completed(cluster.job())
    assert {(attempt.epoch, attempt.outcome) for attempt in cluster.attempts()} == {(1, Outcome.COMPLETED)}


@pytest.mark.fault("S3: answers 503", "steps are retried; the job is completed")
def test_storage_that_is_busy_is_asked_again(cluster: Cluster, recovery: Recovery) -> None:
    with Wire(endpoint(cluster.storage_url)) as wire:
        wire.unavailable = True
        cluster.start("watchdog")
        cluster.start("transcoder", MILL_STORAGE_URL=s3_by_way_of(wire, cluster.storage_url), settings=PATIENT)
        job = _patient(cluster)
        cluster.until(lambda: _failures(cluster))
        wire.unavailable = False
        with recovery:
            cluster.until_completed(job)
    assert _failures(cluster) == {"storage_unavailable"}


@pytest.mark.fault("S3: an upload is cut off in the middle", "it is sent again; nothing half is published")
def test_uploads_that_are_cut_off_are_sent_again(cluster: Cluster, recovery: Recovery) -> None:
    with Wire(endpoint(cluster.storage_url)) as wire:
        wire.truncate_puts = 8  # more than the client itself repeats
        cluster.start("watchdog")
        cluster.start("transcoder", MILL_STORAGE_URL=s3_by_way_of(wire, cluster.storage_url), settings=PATIENT)
        job = _patient(cluster)
        with recovery:
            cluster.until_completed(job)
        assert wire.truncate_puts == 0


@pytest.mark.fault("disk full: scratch", "the step is retried, and completes when there is space")
def test_a_full_scratch_disk_costs_attempts_and_no_job(cluster: Cluster, recovery: Recovery, tmp_path: Path) -> None:
    with _mounted(tmp_path / "scratch", 64 << 10) as disk:
        cluster.start("watchdog")
        # The disk fills up after the claim: a worker that sees no room before it claims nothing.
        cluster.start("transcoder", MILL_SCRATCH_DIR=str(disk.folder), MILL_SCRATCH_FREE_BYTES="0", settings=PATIENT)
        job = _patient(cluster)
        cluster.until(lambda: _failures(cluster))
        disk.resize(256 << 20)
        with recovery:
            cluster.until_completed(job)


@pytest.mark.fault("disk full: storage", "the step is retried, and completes when there is space")
def test_a_full_object_store_costs_attempts_and_no_job(
    small_store: tuple[S3, Mount], cluster: Cluster, recovery: Recovery
) -> None:
    server, disk = small_store
    with server.bucket() as url:
        cluster.store_at(url)
        job = _patient(cluster)
        ballast = disk.folder / "ballast"
        with pytest.raises(OSError, match="No space"):
            ballast.write_bytes(bytes(64 << 20))
        cluster.start("watchdog")
        cluster.start("transcoder", settings=PATIENT)
        cluster.until(lambda: _failures(cluster))
        ballast.unlink()
        with recovery:
            cluster.until_completed(job)


@pytest.fixture
def small_store() -> Iterator[tuple[S3, Mount]]:
    """An S3 server on a small disk. Asked for before the cluster, it is there for the oracle's last look."""
    server = S3()
    try:
        with _mounted(server.folder / "devices", 32 << 20) as disk, server:
            yield server, disk
    finally:
        server.close()


def _patient(cluster: Cluster) -> UUID:
    cluster.desk.policy = replace(cluster.desk.policy, max_attempts=60)
    return cluster.job()


def _failures(cluster: Cluster) -> set[str | None]:
    return {attempt.error_code for attempt in cluster.attempts(outcome=Outcome.RETRYING)}


@contextmanager
def _mounted(folder: Path, size: int) -> Iterator[Mount]:
    if os.getuid() != 0:
        pytest.skip("a small disk can be mounted by root alone")
    disk = Mount(folder, size)
    try:
        yield disk
    finally:
        disk.close()
