"""Deliveries reach a receiver, a process of its own that checks every signature (requirement J10)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from common.counted import Counted
from common.desk import Desk
from receiving import Receiver, receiving
from sqlalchemy import select, update
from sqlmodel import col
from waiting import wait_for
from watchdog.sweeps import age, sweep

from mill_common.clock import db_now
from mill_common.errors import LeaseLost
from mill_common.hooks.claims import DeliveryClaim, claim_deliveries, due_endpoints, lapse
from mill_common.hooks.endpoints import recover, rotate_secret, test_delivery
from mill_common.hooks.outcome import Answer, record
from mill_common.hooks.schedule import ATTEMPTS_MAX
from mill_common.hooks.secrets import message_id, new_secret
from mill_common.ids import uuid7
from mill_common.models import Owner, WebhookAttempt, WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus, DisabledReason, WebhookEvent
from mill_common.resources import Resources, open_resources
from mill_watchdog.webhooks import Deliverer
from mill_watchdog.webhooks.posting import Poster

LOOPBACK = "127.0.0.0/8"
HOUR, DAY = 3600.0, 86400.0
FAILED = Answer(duration_s=0.1, status=500)
test_delivery.__test__ = False  # type: ignore[attr-defined]  # it is named for what it writes


@pytest.fixture
def hooks(resources: Resources) -> Iterator[Hooks]:
    """Webhooks that may go to loopback."""
    settings = resources.settings.model_copy(update={"webhook_networks": LOOPBACK, "webhook_timeout_s": 2.0})
    with closing(open_resources(settings)) as opened:
        yield Hooks(opened)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    """A receiver that answers 204."""
    folder = tmp_path / "receiver"
    folder.mkdir()
    with receiving(folder) as running:
        yield running


class Hooks:
    """Endpoints, deliveries and whoever sends them."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.database = resources.database

    def endpoint(self, url: str, **fields: Any) -> UUID:
        """An endpoint, of ada's if nobody else is named, that wants the test event alone."""
        row = WebhookEndpoint(**{"owner_id": "ada", "url": url, "secret": new_secret(), "events": [], **fields})
        with self.database.write() as session:
            session.add(row)
        return row.id

    def event(self, endpoint_id: UUID) -> UUID:
        """An event that is due."""
        return self.database.run(lambda session: test_delivery(session, endpoint_id)).id

    def deliver(self) -> None:
        """Send what is due."""
        deliverer = Deliverer(self.resources)
        deliverer.once()
        deliverer.stop()

    def claim(self, endpoint_id: UUID, count: int = 1) -> list[DeliveryClaim]:
        """Take due deliveries as a watchdog does."""
        wanted = {endpoint_id: count}
        return self.database.run(lambda session: claim_deliveries(session, wanted, worker="one", lease_s=60.0))

    def record(self, claim: DeliveryClaim, answer: Answer) -> bool:
        """Write down what came of a claim."""
        return self.database.run(lambda session: record(session, claim, answer))

    def row(self, delivery_id: UUID) -> WebhookDelivery:
        """A delivery's row."""
        with self.database.read() as session:
            return session.get_one(WebhookDelivery, delivery_id)

    def endpoint_row(self, endpoint_id: UUID) -> WebhookEndpoint:
        """An endpoint's row."""
        with self.database.read() as session:
            return session.get_one(WebhookEndpoint, endpoint_id)

    def attempts(self, delivery_id: UUID) -> list[WebhookAttempt]:
        """The requests that were made for a delivery."""
        made = select(WebhookAttempt).where(col(WebhookAttempt.delivery_id) == delivery_id)
        with self.database.read() as session:
            return list(session.scalars(made.order_by(col(WebhookAttempt.epoch))).all())

    def write(self, table: Any, row_id: UUID, **values: Any) -> None:
        """Write into a row by hand."""
        with self.database.write() as session:
            session.execute(update(table).where(table.id == row_id).values(**values))

    def wait_s(self, delivery_id: UUID) -> float:
        """How far ahead a delivery's next attempt lies, in seconds."""
        next_at = select(col(WebhookDelivery.next_at), db_now()).where(col(WebhookDelivery.id) == delivery_id)
        with self.database.read() as session:
            at, now = session.execute(next_at).one()
        return float((at - now).total_seconds())

    def come(self, delivery_id: UUID) -> None:
        """Let a delivery's next attempt be due."""
        self.write(WebhookDelivery, delivery_id, next_at=db_now(-1.0))


def test_a_delivery_arrives_signed_and_says_what_happened(hooks: Hooks, receiver: Receiver) -> None:
    secret = new_secret()
    receiver.knows(secret)
    delivery = hooks.event(hooks.endpoint(receiver.url(), secret=secret))
    hooks.deliver()
    [heard] = receiver.heard()
    assert (heard["id"], heard["verified"]) == (message_id(delivery), [0])
    assert (heard["body"]["type"], heard["headers"]["content-type"]) == ("webhook.test", "application/json")
    row = hooks.row(delivery)
    assert (row.status, row.attempts, row.last_status, row.lease_until) == (DeliveryStatus.DELIVERED, 1, 204, None)


def test_requests_are_counted_by_event_and_outcome(hooks: Hooks, receiver: Receiver) -> None:
    counted = {
        outcome: Counted("mill_webhook_request_duration_seconds_count", event="webhook.test", outcome=outcome)
        for outcome in ("delivered", "failed")
    }
    for path in ("ok", "ok", "status-500"):
        hooks.event(hooks.endpoint(receiver.url(path)))
    hooks.deliver()
    assert {outcome: one.rise() for outcome, one in counted.items()} == {"delivered": 2, "failed": 1}


def test_while_a_secret_rotates_both_verify_and_later_the_new_one_alone(hooks: Hooks, receiver: Receiver) -> None:
    old = new_secret()
    endpoint = hooks.endpoint(receiver.url(), secret=old)
    new = hooks.database.run(lambda session: rotate_secret(session, endpoint, grace_s=3600))
    receiver.knows(old, new)
    hooks.event(endpoint)
    hooks.deliver()
    hooks.write(WebhookEndpoint, endpoint, previous_until=db_now(-1.0))
    hooks.event(endpoint)
    hooks.deliver()
    assert [heard["verified"] for heard in receiver.heard()] == [[0, 1], [1]]


def test_the_log_shows_both_heads_and_neither_secret_nor_signature(hooks: Hooks, receiver: Receiver) -> None:
    secret = new_secret()
    delivery = hooks.event(hooks.endpoint(receiver.url("ok?set-cookie=hush&x-note=hello&token=t0ken"), secret=secret))
    hooks.deliver()
    [attempt] = hooks.attempts(delivery)
    assert attempt.request_head.startswith(f"POST http://127.0.0.1:{receiver.port}/ok\n")
    assert f"webhook-id: {message_id(delivery)}" in attempt.request_head
    assert attempt.response_head.startswith("HTTP 204\n")
    assert "x-note: hello" in attempt.response_head
    signature = receiver.heard()[0]["headers"]["webhook-signature"]
    for hidden in (secret, signature, "hush", "t0ken"):
        assert hidden not in attempt.request_head
    assert "set-cookie: ***" in attempt.response_head
    assert (attempt.response_status, attempt.error, attempt.duration_s > 0) == (204, None, True)


@pytest.mark.parametrize("answer", ["status-500", "status-404", "status-301?location=/ok", "status-302?location=/ok"])
def test_whatever_is_not_a_2xx_is_tried_again_under_the_same_id(hooks: Hooks, receiver: Receiver, answer: str) -> None:
    endpoint = hooks.endpoint(receiver.url(answer))
    delivery = hooks.event(endpoint)
    hooks.deliver()
    assert hooks.row(delivery).status is DeliveryStatus.PENDING
    assert 0 < hooks.wait_s(delivery) <= 5.5
    hooks.write(WebhookEndpoint, endpoint, url=receiver.url("ok"))
    hooks.come(delivery)
    hooks.deliver()
    first, second = receiver.heard()
    assert (first["id"], first["body"]) == (second["id"], second["body"])
    assert hooks.row(delivery).status is DeliveryStatus.DELIVERED
    assert len(hooks.attempts(delivery)) == 2


def test_a_receiver_that_does_not_answer_in_time_has_failed(hooks: Hooks, receiver: Receiver) -> None:
    delivery = hooks.event(hooks.endpoint(receiver.url("hang")))
    hooks.deliver()
    row = hooks.row(delivery)
    assert (row.status, row.last_status) == (DeliveryStatus.PENDING, None)
    assert "did not answer in time" in (row.last_error or "")
    assert hooks.attempts(delivery)[0].duration_s >= 2.0


def test_each_failure_waits_longer_and_the_tenth_is_the_last(hooks: Hooks) -> None:
    endpoint = hooks.endpoint("https://a.example/")
    delivery = hooks.event(endpoint)
    waits: list[float] = []
    for _ in range(ATTEMPTS_MAX):
        hooks.come(delivery)
        hooks.record(hooks.claim(endpoint)[0], FAILED)
        waits.append(hooks.wait_s(delivery))
    assert hooks.row(delivery).status is DeliveryStatus.FAILED
    hours = [5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24]
    for wait_s, delay in zip(waits, hours, strict=False):
        assert 0.85 * delay * 3600 - 10 <= wait_s <= 1.1 * delay * 3600


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_obeyed_for_all_of_an_endpoint(hooks: Hooks, receiver: Receiver, status: int) -> None:
    endpoint = hooks.endpoint(receiver.url(f"status-{status}?retry-after=3600"))
    asked = hooks.event(endpoint)
    hooks.deliver()
    assert 3500 < hooks.wait_s(asked) <= 3600
    other = hooks.event(endpoint)
    hooks.deliver()
    assert hooks.row(other).attempts == 0
    hooks.write(WebhookEndpoint, endpoint, not_before=db_now(-1.0))
    hooks.deliver()
    assert hooks.row(other).attempts == 1


def test_retry_after_holds_back_what_was_waiting_already(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver.url("status-429?retry-after=3600"))
    for _ in range(5):
        hooks.event(endpoint)
    hooks.deliver()
    assert len(receiver.heard()) == 1
    assert hooks.claim(endpoint, 5) == []


def test_retry_after_of_another_answer_means_nothing(hooks: Hooks, receiver: Receiver) -> None:
    delivery = hooks.event(hooks.endpoint(receiver.url("status-500?retry-after=3600")))
    hooks.deliver()
    assert hooks.wait_s(delivery) <= 5.5


def test_410_disables_and_gives_up_what_waits(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver.url("status-410"))
    deliveries = [hooks.event(endpoint) for _ in range(3)]
    hooks.deliver()
    row = hooks.endpoint_row(endpoint)
    assert (row.enabled, row.disabled_reason) == (False, DisabledReason.GONE)
    assert {hooks.row(delivery).status for delivery in deliveries} == {DeliveryStatus.FAILED}
    hooks.event(endpoint)  # written while it was disabled
    hooks.deliver()
    assert len(receiver.heard()) == 1


def test_five_days_of_failures_disable_after_a_last_notice(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver.url("status-500"))
    hooks.event(endpoint)
    hooks.write(WebhookEndpoint, endpoint, failing_since=db_now(-4.9 * DAY), failed_at=db_now(-HOUR))
    hooks.deliver()
    assert hooks.endpoint_row(endpoint).enabled
    hooks.write(WebhookEndpoint, endpoint, failing_since=db_now(-5.1 * DAY))
    waiting = hooks.event(endpoint)
    hooks.deliver()
    row = hooks.endpoint_row(endpoint)
    assert (row.enabled, row.disabled_reason) == (False, DisabledReason.FAILING)
    assert hooks.row(waiting).status is DeliveryStatus.FAILED
    notices = [heard["body"] for heard in receiver.heard() if heard["body"]["type"] == "webhook.disabled"]
    assert [notice["data"] for notice in notices] == [{"endpoint_id": str(endpoint), "reason": "failing"}]


def test_an_endpoint_for_which_nothing_waits_any_more_is_disabled_as_well(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver.url("status-500"))
    hooks.write(WebhookEndpoint, endpoint, failing_since=db_now(-5.1 * DAY), failed_at=db_now(-2.5 * DAY))
    hooks.deliver()
    assert hooks.endpoint_row(endpoint).disabled_reason is DisabledReason.FAILING
    assert [heard["body"]["type"] for heard in receiver.heard()] == ["webhook.disabled"]


def test_failures_of_one_bad_hour_are_forgotten(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver.url("status-500"))
    hooks.write(WebhookEndpoint, endpoint, failing_since=db_now(-5.1 * DAY), failed_at=db_now(-5.1 * DAY + HOUR))
    hooks.deliver()
    row = hooks.endpoint_row(endpoint)
    assert (row.enabled, row.failing_since, row.failed_at) == (True, None, None)


def test_a_failure_long_after_the_one_before_is_the_first_of_its_own(hooks: Hooks) -> None:
    endpoint = hooks.endpoint("https://a.example/")
    hooks.write(WebhookEndpoint, endpoint, failing_since=db_now(-4 * DAY), failed_at=db_now(-3 * DAY))
    hooks.event(endpoint)
    hooks.record(hooks.claim(endpoint)[0], FAILED)
    row = hooks.endpoint_row(endpoint)
    assert row.failing_since == row.failed_at is not None


def test_what_waited_for_a_watchdog_is_tried_before_its_endpoint_is_disabled(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver.url("ok"))
    hooks.event(endpoint)
    hooks.write(WebhookEndpoint, endpoint, failing_since=db_now(-9 * DAY), failed_at=db_now(-7 * DAY))
    hooks.deliver()
    row = hooks.endpoint_row(endpoint)
    assert (row.enabled, row.failing_since) == (True, None)


def test_a_crash_of_ours_is_counted_like_a_failure(hooks: Hooks) -> None:
    def crash(_host: str, _port: int) -> list[str]:
        raise RuntimeError("hush")

    delivery = hooks.event(hooks.endpoint("https://a.example/"))
    deliverer = Deliverer(hooks.resources, Poster(hooks.resources.settings, crash))
    deliverer.once()
    deliverer.stop()
    row = hooks.row(delivery)
    assert (row.status, row.attempts, row.last_error) == (DeliveryStatus.PENDING, 1, "internal_error: RuntimeError")


def test_a_success_ends_the_days_of_failure(hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver.url())
    hooks.write(WebhookEndpoint, endpoint, failing_since=db_now(-4.9 * DAY), failed_at=db_now(-HOUR))
    hooks.event(endpoint)
    hooks.deliver()
    row = hooks.endpoint_row(endpoint)
    assert (row.failing_since, row.failed_at) == (None, None)


def test_a_report_of_progress_that_failed_is_not_repeated(hooks: Hooks) -> None:
    endpoint = hooks.endpoint("https://a.example/")
    delivery = hooks.event(endpoint)
    hooks.write(WebhookDelivery, delivery, event=WebhookEvent.JOB_PROGRESS)
    hooks.record(hooks.claim(endpoint)[0], FAILED)
    assert hooks.row(delivery).status is DeliveryStatus.FAILED


def test_recovery_leaves_out_reports_of_progress(hooks: Hooks) -> None:
    endpoint = hooks.endpoint("https://a.example/")
    missed, report = hooks.event(endpoint), hooks.event(endpoint)
    hooks.write(WebhookDelivery, report, event=WebhookEvent.JOB_PROGRESS)
    for delivery in (missed, report):
        hooks.write(WebhookDelivery, delivery, status=DeliveryStatus.FAILED)
    assert hooks.database.run(lambda session: recover(session, endpoint, datetime(2020, 1, 1, tzinfo=UTC))) == 1
    assert hooks.row(missed).status is DeliveryStatus.PENDING


def test_two_watchdogs_never_hold_the_same_delivery(hooks: Hooks) -> None:
    endpoint = hooks.endpoint("https://a.example/")
    events = {hooks.event(endpoint) for _ in range(5)}
    first, second = hooks.claim(endpoint, 3), hooks.claim(endpoint, 3)
    assert (len(first), len(second)) == (3, 2)
    assert {claim.id for claim in [*first, *second]} == events


def test_a_watchdog_that_lost_its_lease_writes_nothing(hooks: Hooks) -> None:
    endpoint = hooks.endpoint("https://a.example/")
    delivery = hooks.event(endpoint)
    [lost] = hooks.claim(endpoint)
    hooks.write(WebhookDelivery, delivery, lease_until=db_now(-1.0))
    assert hooks.database.run(lapse) == 1
    [kept] = hooks.claim(endpoint)
    with pytest.raises(LeaseLost):
        hooks.record(lost, Answer(duration_s=0.1, status=410))
    assert hooks.endpoint_row(endpoint).enabled
    assert (kept.epoch, kept.attempts) == (2, 0)
    assert [attempt.error is not None for attempt in hooks.attempts(delivery)] == [True]


def test_a_delivery_under_way_is_left_to_its_watchdog(hooks: Hooks) -> None:
    endpoint = hooks.endpoint("https://a.example/")
    hooks.event(endpoint)
    hooks.claim(endpoint)
    assert hooks.database.run(lapse) == 0
    assert hooks.database.run(due_endpoints) == []


def test_only_endpoints_with_something_due_are_looked_at(hooks: Hooks) -> None:
    due, later, _ = (hooks.endpoint("https://a.example/") for _ in range(3))
    for _ in range(3):
        hooks.event(due)
    hooks.write(WebhookDelivery, hooks.event(later), next_at=db_now(60.0))
    assert [found.id for found in hooks.database.run(due_endpoints)] == [due]


def test_what_is_under_way_at_the_end_is_handed_back(hooks: Hooks, receiver: Receiver) -> None:
    settings = hooks.resources.settings.model_copy(update={"webhook_timeout_s": 60.0})
    delivery = hooks.event(hooks.endpoint(receiver.url("hang")))
    with closing(open_resources(settings)) as opened:
        deliverer = Deliverer(opened)
        deliverer.start()
        wait_for(receiver.heard)
        deliverer.stop()
    row = hooks.row(delivery)
    assert (row.status, row.attempts, row.lease_until) == (DeliveryStatus.PENDING, 0, None)


def test_what_was_sent_is_forgotten_after_thirty_days(hooks: Hooks) -> None:
    endpoint = hooks.endpoint("https://a.example/", job_id=UUID(int=7))
    old, young, waiting = (hooks.event(endpoint) for _ in range(3))
    for claim in hooks.claim(endpoint, 2):
        hooks.record(claim, Answer(duration_s=0.1, status=204))
    age(hooks.resources, WebhookDelivery, old, "ended_at", by=timedelta(days=31))
    age(hooks.resources, WebhookDelivery, young, "ended_at", by=timedelta(days=29))
    age(hooks.resources, WebhookDelivery, waiting, "created_at", by=timedelta(days=40))
    assert sweep(hooks.resources, "old_webhooks") == {"deliveries_removed": 1, "endpoints_removed": 0}
    assert hooks.attempts(old) == []
    assert {hooks.row(young).status, hooks.row(waiting).status} == {DeliveryStatus.DELIVERED, DeliveryStatus.PENDING}


def test_the_url_of_a_job_that_is_gone_goes_once_nothing_is_kept_for_it(hooks: Hooks) -> None:
    desk = Desk(hooks.database)
    own, gone, everybody = (hooks.endpoint("https://a.example/", job_id=job) for job in (desk.job(), UUID(int=7), None))
    assert sweep(hooks.resources, "old_webhooks")["endpoints_removed"] == 1
    with hooks.database.read() as session:
        assert set(session.scalars(select(col(WebhookEndpoint.id))).all()) == {own, everybody}
    assert gone not in {own, everybody}


def test_a_receiver_that_hangs_delays_nobody_else(hooks: Hooks, receiver: Receiver) -> None:
    hanging = [hooks.endpoint(receiver.url("hang")) for _ in range(3)]
    for endpoint in hanging * 10:
        hooks.event(endpoint)
    healthy = [hooks.event(hooks.endpoint(receiver.url())) for _ in range(12)]
    # One request each: nobody waits for more than has been seen to answer.
    _deliver_beside(hooks, receiver, len(healthy), hanging=len(hanging))


def test_urls_of_single_jobs_that_hang_at_one_host_share_one_lane(hooks: Hooks, receiver: Receiver) -> None:
    for _ in range(12):
        hooks.event(hooks.endpoint(receiver.url("hang"), job_id=uuid7()))
    with hooks.database.write() as session:
        session.add(Owner(id="ben"))
    others = [hooks.event(hooks.endpoint(receiver.url(), job_id=uuid7(), owner_id="ben")) for _ in range(12)]
    _deliver_beside(hooks, receiver, len(others), hanging=1)


def test_who_is_known_to_fail_is_no_stranger_to_a_new_watchdog(hooks: Hooks, receiver: Receiver) -> None:
    for _ in range(12):
        hooks.event(hooks.endpoint(receiver.url("hang"), failing_since=datetime.now(UTC)))
    others = [hooks.event(hooks.endpoint(receiver.url())) for _ in range(12)]
    _deliver_beside(hooks, receiver, len(others), hanging=1)


def _deliver_beside(hooks: Hooks, receiver: Receiver, healthy: int, *, hanging: int) -> None:
    settings = hooks.resources.settings.model_copy(update={"webhook_timeout_s": 60.0, "webhook_threads": 8})
    with closing(open_resources(settings)) as opened:
        deliverer = Deliverer(opened)
        deliverer.start()
        wait_for(lambda: len(receiver.heard("ok")) == healthy)
        assert len(receiver.heard("hang")) == hanging
        deliverer.stop()


def test_an_endpoint_with_a_long_backlog_does_not_stand_before_another(hooks: Hooks, receiver: Receiver) -> None:
    busy, quiet = hooks.endpoint(receiver.url("ok/busy")), hooks.endpoint(receiver.url("ok/quiet"))
    for _ in range(200):
        hooks.event(busy)
    hooks.event(quiet)
    hooks.deliver()
    paths = [heard["path"] for heard in receiver.heard()]
    assert len(paths) == 201
    assert paths.index("/ok/quiet") < 50
