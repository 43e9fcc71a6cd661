"""The gateway dies."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from uuid import UUID

import pytest
from faults.clients import ready
from faults.cluster import KEY, SPEC, Cluster
from faults.recovery import Recovery
from sqlalchemy import select
from sqlmodel import col
from waiting import WAIT_S
from wire import Wire

from mill_client import Client, JobSpec, MillClientError
from mill_common.models import Job


@pytest.mark.fault(
    "API: kill -9 between commit and send", "the watchdog sends the wake-up; asking again gives the same job"
)
def test_a_gateway_killed_between_commit_and_send_has_accepted_the_job(
    cluster: Cluster, recovery: Recovery, clip: Path
) -> None:
    cluster.start("watchdog")
    cluster.start("transcoder", MILL_POLL_S="3600")
    cluster.until_completed(cluster.job())
    cluster.until_quiet()
    with Wire(cluster.broker_url) as wire:
        stop = wire.stop_at(b"transcode")
        dying, url = cluster.api(MILL_BROKER_URL=wire.url)
        asking = threading.Thread(target=_ask_in_vain, args=(cluster, url, clip))
        asking.start()
        cluster.until(stop.reached.is_set)
        dying.kill()
        asking.join(WAIT_S)
        stop.release(hang_up=True)
    accepted = _accepted(cluster)
    with recovery:
        cluster.until_completed(accepted)
    _, url = cluster.api()
    with Client(url, KEY) as client:
        cluster.until(lambda: ready(client))
        assert UUID(_ask(client, clip)) == accepted
    assert _accepted(cluster) == accepted


def _accepted(cluster: Cluster) -> UUID:
    with cluster.database.read() as session:
        [job] = session.scalars(select(col(Job.id)).where(col(Job.idempotency_key) == "once"))
    return job


def _ask(client: Client, clip: Path) -> str:
    spec = JobSpec.model_validate(SPEC.model_dump(mode="json"))
    return client.submit(clip, spec=spec, idempotency_key="once").job_id


def _ask_in_vain(cluster: Cluster, url: str, clip: Path) -> None:
    with Client(url, KEY) as client:
        cluster.until(lambda: ready(client))
        with suppress(MillClientError):
            _ask(client, clip)
