"""Cancellation at every step, and against success."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from faults.cluster import SPEC, Cluster
from faults.moments import COMMIT, COMPLETION, PUBLICATION
from faults.recovery import Recovery
from faults.turnstile import ARGUMENTS
from waiting import WAIT_S
from wire import Wire

from mill_common.merging import first_tasks
from mill_common.models import Job, JobSource, Outcome, Owner
from mill_common.queue import JobEnded, enqueue_job
from mill_common.states import JobStatus, TaskStatus


@pytest.mark.parametrize("kind", ARGUMENTS)
@pytest.mark.fault("cancel while a step runs", "its process is gone, nothing of the job completes")
def test_a_job_cancelled_during(cluster: Cluster, recovery: Recovery, kind: str) -> None:
    cluster.turnstile.rule("hold", ARGUMENTS[kind])
    cluster.start("watchdog")
    cluster.start("transcoder")
    job = cluster.job()
    task, child = cluster.held(kind)
    cluster.desk.cancel(job)
    assert cluster.status(job) is JobStatus.CANCELLED
    with recovery:
        cluster.until_ended(job)
    assert not psutil.pid_exists(child)
    assert cluster.outcomes(task.id) == [Outcome.CANCELLED]
    cluster.turnstile.open()


@pytest.mark.fault("cancel while the source is fetched", "the transfer is broken off")
def test_a_job_cancelled_while_its_source_is_fetched(cluster: Cluster, recovery: Recovery) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cluster.start("watchdog")
        cluster.start("transcoder", MILL_SOURCE_NETWORKS="127.0.0.0/8")
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/clip.mp4"
        job = cluster.job(source_key=None, source_size=None, source_url=url)
        connection, _ = silent.accept()
        with connection:
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: 1000000\r\n\r\n0123456789"
            )
            cluster.until(lambda: cluster.running("fetch"))
            cluster.desk.cancel(job)
            with recovery:
                cluster.until_ended(job)


@pytest.mark.fault("cancel while sources are merged", "its process is gone, nothing of the job completes")
def test_a_job_cancelled_while_its_sources_are_merged(cluster: Cluster, recovery: Recovery, clip: Path) -> None:
    cluster.turnstile.rule("hold", "inputs/00")
    cluster.start("watchdog")
    cluster.start("transcoder")
    job = _of_two(cluster, clip)
    task, child = cluster.held("merge")
    cluster.desk.cancel(job)
    with recovery:
        cluster.until_ended(job)
    assert not psutil.pid_exists(child)
    assert cluster.outcomes(task.id) == [Outcome.CANCELLED]
    cluster.turnstile.open()


@pytest.mark.fault("cancel of waiting work", "cancelled at once, no worker needed")
def test_a_job_that_waits_is_cancelled_at_once(cluster: Cluster) -> None:
    job = cluster.job()
    cluster.desk.cancel(job)
    cluster.start("watchdog")
    cluster.start("transcoder")
    cluster.until_completed(cluster.job("grace"))
    assert {task.status for task in cluster.desk.tasks(job).values()} == {TaskStatus.CANCELLED}
    assert cluster.outcomes(cluster.desk.tasks(job)["probe"].id) == []


@pytest.mark.fault("cancel against success", "the first commit wins, and both agree on it")
def test_a_cancellation_that_comes_after_success_is_refused(cluster: Cluster) -> None:
    cluster.start("watchdog")
    refused: list[bool] = []
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(PUBLICATION, then=COMMIT)
        cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job()
        cluster.until(stop.reached.is_set)

        def cancel() -> None:
            try:
                cluster.desk.cancel(job)
            except JobEnded:
                refused.append(True)

        cancelling = threading.Thread(target=cancel)
        cancelling.start()
        cancelling.join(1)
        assert cancelling.is_alive()  # it waits for whoever was first
        stop.release()
        cancelling.join(WAIT_S)
        cluster.until_completed(job)
    assert refused == [True]


@pytest.mark.fault(
    "success against cancel", "the first commit wins; the late worker writes nothing but that it stopped"
)
def test_success_that_comes_after_a_cancellation_is_refused(cluster: Cluster) -> None:
    cluster.start("watchdog")
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(COMPLETION)
        cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job()
        cluster.until(stop.reached.is_set)
        cluster.desk.cancel(job)
        stop.release()
        cluster.until_ended(job)
    assert cluster.desk.statuses(job) == {"probe": TaskStatus.CANCELLED}


def _of_two(cluster: Cluster, clip: Path) -> UUID:
    """A job of two sources."""
    cluster.store.put_file("uploads/part.mp4", clip, content_type="video/mp4")
    job = Job(owner_id="ada", filename="part.mp4", spec=SPEC.model_dump(mode="json"))
    parts = [
        JobSource(job_id=job.id, position=position, filename="part.mp4", object_key="uploads/part.mp4", size=1)
        for position in range(2)
    ]
    with cluster.database.write() as session:
        session.add(Owner(id="ada"))
        session.flush()
        enqueue_job(session, job, cluster.desk.policy, first=first_tasks(parts))
        session.add_all(parts)
    cluster.dispatcher.wake("transcode")
    return job.id
