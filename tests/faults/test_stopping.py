"""Services are asked to stop at a bad moment."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress

import pytest
from faults.clients import ready
from faults.cluster import KEY, Cluster
from faults.moments import FIRST_WORDS
from faults.recovery import Recovery
from sqlalchemy import select
from sqlmodel import col
from wire import Wire

from mill_client import Client, MillClientError
from mill_common.models import Outcome
from mill_common.workers import Worker

SERVICES = ("api", "transcoder", "transcriber", "watchdog")


@pytest.mark.fault(
    "PostgreSQL says nothing: SIGTERM to a transcoder at work", "it ends in seconds; its step is done by another"
)
def test_a_transcoder_whose_database_is_silent_can_be_stopped(cluster: Cluster, recovery: Recovery) -> None:
    cluster.turnstile.rule("hold", "libx264")
    cluster.start("watchdog")
    with Wire(cluster.database_url) as wire:
        worker = cluster.start("transcoder", MILL_DATABASE_URL=wire.url, MILL_STOP_GRACE_S="0")
        job = cluster.job()
        task, _ = cluster.held("encode")
        wire.freeze()
        with recovery:
            assert worker.stop() == 0
        cluster.turnstile.open()
        wire.cut()
    cluster.start("transcoder")
    cluster.until_completed(job)
    assert cluster.outcomes(task.id) == [Outcome.LEASE_EXPIRED, Outcome.COMPLETED]


@pytest.mark.parametrize("service", ["transcriber", "watchdog"])
@pytest.mark.fault("PostgreSQL says nothing: SIGTERM to an idle service", "it ends in seconds")
def test_an_idle_service_whose_database_is_silent_can_be_stopped(
    cluster: Cluster, recovery: Recovery, service: str
) -> None:
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(b"SELECT")
        waiting = cluster.start(service, MILL_DATABASE_URL=wire.url)
        cluster.until(stop.reached.is_set)
        wire.freeze()
        with recovery:
            assert waiting.stop() == 0


@pytest.mark.fault("PostgreSQL says nothing: SIGTERM to a gateway that is asked something", "it ends in seconds")
def test_a_gateway_whose_database_is_silent_can_be_stopped(cluster: Cluster, recovery: Recovery) -> None:
    with Wire(cluster.database_url) as wire:
        gateway, url = cluster.api(MILL_DATABASE_URL=wire.url)
        with Client(url, KEY) as client:
            cluster.until(lambda: ready(client))
            stop = wire.stop_at(b"SELECT")
            asking = threading.Thread(target=_ask_in_vain, args=(client,))
            asking.start()
            cluster.until(stop.reached.is_set)
            wire.freeze()
            with recovery:
                assert gateway.stop() == 0
            asking.join()


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.fault("SIGTERM while a service is still loading", "it ends at once, as one that was terminated (143)")
def test_a_service_that_is_still_loading_can_be_stopped(cluster: Cluster, recovery: Recovery, service: str) -> None:
    loading = cluster.start(service, PYTHONPROFILEIMPORTTIME="1")  # it tells what it has loaded, line by line
    cluster.until(lambda: loading.said("sqlalchemy"))
    with recovery:
        assert loading.stop() == 128 + signal.SIGTERM


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.fault("SIGTERM while a service begins to work", "it ends well, and leaves no worker's row open")
def test_a_service_that_begins_to_work_can_be_stopped(cluster: Cluster, recovery: Recovery, service: str) -> None:
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(FIRST_WORDS)
        beginning = cluster.start(service, MILL_DATABASE_URL=wire.url, MILL_STOP_GRACE_S="0")
        cluster.until(stop.reached.is_set)
        beginning.signal(signal.SIGTERM)
        stop.release()
        with recovery:
            assert beginning.stop() in (0, 128 + signal.SIGTERM)
    with cluster.database.read() as session:
        assert session.scalars(select(col(Worker.name)).where(col(Worker.stopped_at).is_(None))).all() == []


def _ask_in_vain(client: Client) -> None:
    with suppress(MillClientError):
        client.jobs.get("0197f3a0-0000-7000-8000-000000000000")
