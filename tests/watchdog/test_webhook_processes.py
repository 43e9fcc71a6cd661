"""Watchdogs as processes of their own, one of which is killed while it sends (requirement J10)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from holding import holding, somebody_waits
from receiving import Receiver, receiving
from sqlalchemy import select
from sqlmodel import col
from waiting import WAIT_S, wait_for
from watchdog.processes import Kennel

from mill_common.hooks.secrets import message_id, new_secret
from mill_common.models import Owner, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus

QUICK = {
    "MILL_WEBHOOK_NETWORKS": "127.0.0.0/8",
    "MILL_WEBHOOK_LEASE_S": "2",
    "MILL_WEBHOOK_TIMEOUT_S": "60",
    "MILL_WEBHOOK_POLL_S": "0.05",
}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver, a process of its own."""
    folder = tmp_path / "receiver"
    folder.mkdir()
    with receiving(folder) as running:
        yield running


def _listening(kennel: Kennel, url: str) -> str:
    """An endpoint of ada's; its secret."""
    secret = new_secret()
    with kennel.database.write() as session:
        session.add(Owner(id="ada"))
        session.flush()
        session.add(WebhookEndpoint(owner_id="ada", url=url, secret=secret, events=["job.cancelled"]))
    return secret


def _cancelled(kennel: Kennel) -> UUID:
    """A job whose cancellation is to be told of; the delivery's id."""
    kennel.desk.cancel(kennel.desk.job())
    with kennel.database.read() as session:
        return session.scalars(select(WebhookDelivery).order_by(col(WebhookDelivery.id).desc())).all()[0].id


def _row(kennel: Kennel, delivery: UUID) -> WebhookDelivery:
    with kennel.database.read() as session:
        return session.get_one(WebhookDelivery, delivery)


def test_a_watchdog_killed_between_the_answer_and_the_mark_has_it_sent_again(
    kennel: Kennel, receiver: Receiver
) -> None:
    secret = _listening(kennel, receiver.url("hold"))
    receiver.knows(secret)
    delivery = _cancelled(kennel)
    first = kennel.watchdog(**QUICK)
    wait_for(receiver.heard)
    # The mark waits for the row, so that the answer has come and the mark has not been made.
    with holding(kennel.database, select(WebhookDelivery).where(col(WebhookDelivery.id) == delivery)):
        receiver.go()
        wait_for(lambda: somebody_waits(kennel.database))
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert _row(kennel, delivery).status is DeliveryStatus.SENDING
    kennel.watchdog(**QUICK)
    wait_for(lambda: _row(kennel, delivery).status is DeliveryStatus.DELIVERED)
    heard = receiver.heard()
    assert [line["id"] for line in heard] == [message_id(delivery)] * 2
    assert [line["verified"] for line in heard] == [[0], [0]]
    assert heard[0]["body"] == heard[1]["body"]
    with kennel.database.read() as session:
        lost, delivered = session.scalars(select(WebhookAttempt).order_by(col(WebhookAttempt.epoch))).all()
    assert ("not heard of again" in (lost.error or ""), delivered.response_status) == (True, 204)


def test_a_watchdog_killed_while_it_waits_for_the_answer_has_it_sent_again(kennel: Kennel, receiver: Receiver) -> None:
    _listening(kennel, receiver.url("hold"))
    delivery = _cancelled(kennel)
    first = kennel.watchdog(**QUICK)
    wait_for(receiver.heard)
    first.send_signal(signal.SIGKILL)
    first.wait()
    receiver.go()
    kennel.watchdog(**QUICK)
    wait_for(lambda: _row(kennel, delivery).status is DeliveryStatus.DELIVERED)
    assert [line["id"] for line in receiver.heard()] == [message_id(delivery)] * 2


def test_three_watchdogs_send_each_event_once(kennel: Kennel, receiver: Receiver) -> None:
    _listening(kennel, receiver.url())
    deliveries = [_cancelled(kennel) for _ in range(40)]
    for _ in range(3):
        kennel.watchdog(**{**QUICK, "MILL_WEBHOOK_LEASE_S": "60"})
    wait_for(lambda: {_row(kennel, delivery).status for delivery in deliveries} == {DeliveryStatus.DELIVERED})
    heard = [line["id"] for line in receiver.heard()]
    assert sorted(heard) == sorted(message_id(delivery) for delivery in deliveries)


def test_it_stops_cleanly_though_a_receiver_hangs(kennel: Kennel, receiver: Receiver) -> None:
    _listening(kennel, receiver.url("hang"))
    delivery = _cancelled(kennel)
    process = kennel.watchdog(**QUICK)
    wait_for(receiver.heard)
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_S) == 0
    assert _row(kennel, delivery).status is DeliveryStatus.PENDING


def test_once_sends_what_is_due_and_ends(kennel: Kennel, receiver: Receiver) -> None:
    _listening(kennel, receiver.url())
    kennel.environment |= QUICK
    deliveries = [_cancelled(kennel) for _ in range(3)]
    assert kennel.command("--once").returncode == 0
    assert {_row(kennel, delivery).status for delivery in deliveries} == {DeliveryStatus.DELIVERED}


def test_a_network_that_is_written_wrongly_stops_the_process_at_its_start(kennel: Kennel) -> None:
    for name in ("MILL_WEBHOOK_NETWORKS", "MILL_SOURCE_NETWORKS"):
        kennel.environment[name] = "10.0.0.1/8"
        refused = kennel.command("--once")
        del kennel.environment[name]
        assert refused.returncode != 0
        assert name.removeprefix("MILL_").lower() in refused.stderr
