"""Watchdogs die while they tell of jobs, and while they keep a schedule."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from faults.cluster import Cluster
from faults.moments import COMMIT, PUBLICATION
from faults.recovery import Recovery
from holding import closing_off, somebody_waits
from receiving import Receiver, receiving
from sqlalchemy import select, update
from sqlmodel import col
from wire import Wire

from mill_common.clock import db_now
from mill_common.hooks.secrets import message_id, new_secret
from mill_common.models import Job, WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus
from mill_common.runs import RunStatus, Schedule, ScheduledRun

TELLING = {
    "MILL_WEBHOOK_NETWORKS": "127.0.0.0/8",
    "MILL_WEBHOOK_LEASE_S": "4",
    "MILL_WEBHOOK_TIMEOUT_S": "60",
    "MILL_WEBHOOK_POLL_S": "0.1",
}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver of webhooks, a process of its own."""
    folder = tmp_path / "receiver"
    folder.mkdir()
    with receiving(folder) as running:
        yield running


@pytest.mark.fault("watchdog: kill -9 while it sends a webhook", "sent again, under the same id")
def test_a_watchdog_killed_while_it_tells_of_a_job_is_replaced(
    cluster: Cluster, recovery: Recovery, receiver: Receiver
) -> None:
    dying = cluster.start("watchdog", settings=TELLING)
    job = cluster.job(wake=False)
    _listen(cluster, job, receiver.url("hold"))
    cluster.desk.cancel(job)
    cluster.until(receiver.heard)
    dying.kill()
    receiver.go()
    with recovery:
        cluster.start("watchdog", settings=TELLING)
        delivery = cluster.until(lambda: _delivered(cluster, job))
    assert [line["id"] for line in receiver.heard()] == [message_id(delivery)] * 2


@pytest.mark.fault(
    "the connection breaks while the answer to a job's last COMMIT is on its way", "it is told of once, and truly"
)
def test_a_job_whose_end_was_not_answered_is_told_of_once(
    cluster: Cluster, recovery: Recovery, receiver: Receiver
) -> None:
    cluster.start("watchdog", settings=TELLING)
    with Wire(cluster.database_url) as wire:
        stop = wire.stop_at(PUBLICATION, then=COMMIT, after=True)
        cluster.start("transcoder", MILL_DATABASE_URL=wire.url)
        job = cluster.job(wake=False)
        _listen(cluster, job, receiver.url())
        cluster.until(stop.reached.is_set)
        with recovery:
            cluster.until_completed(job)
            delivery = cluster.until(lambda: _delivered(cluster, job))
    [heard] = receiver.heard()
    assert (heard["id"], heard["body"]["type"]) == (message_id(delivery), "job.completed")


@pytest.mark.fault("watchdog: kill -9 in a scheduled run", "another one takes the run over; one row for the fire")
def test_a_watchdog_killed_in_a_scheduled_run_is_replaced(cluster: Cluster, recovery: Recovery) -> None:
    old = cluster.job(wake=False)
    cluster.desk.cancel(old)
    with cluster.database.write() as session:
        session.execute(update(Job).where(col(Job.id) == old).values(completed_at=db_now(-31 * 86400.0)))
    dying = cluster.start("watchdog")
    cluster.until(lambda: _let_come(cluster, "old_jobs"))
    with closing_off(cluster.database, "job"):  # whoever wants to delete it waits
        cluster.until(lambda: _runs(cluster, "old_jobs") and somebody_waits(cluster.database))
        dying.kill()
        cluster.start("watchdog")
        with recovery:
            cluster.until(lambda: _runs(cluster, "old_jobs")[0].epoch > 1)
    cluster.until(lambda: [run.status for run in _runs(cluster, "old_jobs")] == [RunStatus.COMPLETED])
    assert _runs(cluster, "old_jobs")[0].details["deleted_count"] == 1


def _listen(cluster: Cluster, job: UUID, url: str) -> None:
    """Have a URL told of the job's end."""
    events = ["job.completed", "job.failed", "job.cancelled"]
    with cluster.database.write() as session:
        owner = session.get_one(Job, job).owner_id
        session.add(WebhookEndpoint(owner_id=owner, job_id=job, url=url, secret=new_secret(), events=events))


def _delivered(cluster: Cluster, job: UUID) -> UUID | None:
    of_job = (col(WebhookDelivery.job_id) == job) & (col(WebhookDelivery.status) == DeliveryStatus.DELIVERED)
    with cluster.database.read() as session:
        return session.scalar(select(col(WebhookDelivery.id)).where(of_job))


def _let_come(cluster: Cluster, name: str) -> bool:
    """Let a schedule's time come, once it is there."""
    come = update(Schedule).where(col(Schedule.name) == name).values(next_at=db_now(-1.0))
    with cluster.database.write() as session:
        return session.execute(come.returning(col(Schedule.name))).first() is not None


def _runs(cluster: Cluster, name: str) -> list[ScheduledRun]:
    with cluster.database.read() as session:
        return list(session.scalars(select(ScheduledRun).where(col(ScheduledRun.schedule) == name)))
