"""Webhooks that fail and an interface that errs, from quiet to firing to resolved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from common.counted import Counted
from sqlalchemy import update
from watchdog.outlook import Outlook

from mill_common.clock import db_now
from mill_common.hooks.claims import DeliveryClaim, claim_deliveries
from mill_common.hooks.endpoints import disable, disable_failing, test_delivery
from mill_common.hooks.outcome import Answer, record
from mill_common.ids import uuid7
from mill_common.models import Alert, AlertLevel, AlertStatus, Traffic, WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DisabledReason
from mill_common.resources import Resources
from mill_common.runs.ledger import now
from mill_watchdog.alerts import Alerts

test_delivery.__test__ = False  # type: ignore[attr-defined]  # it is named for what it writes
KEY = uuid7()
SECRET_URL = "https://chat.example/hooks/T0KEN"


@pytest.fixture
def outlook(resources: Resources) -> Outlook:
    return Outlook(resources)


def _endpoint(outlook: Outlook, failing_s: float | None = None, **fields: Any) -> UUID:
    """An endpoint with an event that waits for it."""
    row = WebhookEndpoint(owner_id="ada", url=SECRET_URL, secret="whsec_c2VjcmV0", events=[], **fields)
    with outlook.database.write() as session:
        session.add(row)
    _write(outlook, failing_since=None if failing_s is None else db_now(-failing_s))
    outlook.database.run(lambda session: test_delivery(session, row.id))
    return row.id


def _write(outlook: Outlook, table: Any = WebhookEndpoint, **values: Any) -> None:
    with outlook.database.write() as session:
        session.execute(update(table).values(**values))


def _claim(outlook: Outlook, endpoint: UUID) -> DeliveryClaim:
    [claim] = outlook.database.run(lambda session: claim_deliveries(session, {endpoint: 1}, worker="w", lease_s=60.0))
    return claim


def _only(outlook: Outlook, kind: str) -> Alert:
    [alert] = outlook.alerts(kind)
    return alert


def test_an_endpoint_that_fails_for_an_hour_is_told_until_it_recovers(outlook: Outlook) -> None:
    """J10: a webhook that fails is told to the operator, without its URL."""
    endpoint = _endpoint(outlook, failing_s=3590.0)
    outlook.look()
    assert outlook.alerts() == []
    _write(outlook, failing_since=db_now(-3700.0))
    outlook.look()
    alert = _only(outlook, "webhook_endpoint")
    assert (alert.level, alert.status, alert.owner_id) == (AlertLevel.WARNING, AlertStatus.FIRING, "ada")
    assert alert.labels == {"owner": "ada", "webhook": str(endpoint)}
    assert "T0KEN" not in str(alert.model_dump())
    claim = _claim(outlook, endpoint)
    outlook.look()
    assert outlook.firing() == ["webhook_endpoint"], "the event that waited is being sent"
    outlook.database.run(lambda session: record(session, claim, Answer(duration_s=0.1, status=204)))
    outlook.look()
    assert _only(outlook, "webhook_endpoint").status is AlertStatus.RESOLVED


def test_one_failure_that_nothing_followed_is_nobodys_trouble(outlook: Outlook) -> None:
    _endpoint(outlook, failing_s=7200.0)
    _nothing_waits(outlook)
    outlook.look()
    assert outlook.alerts() == []


def test_an_endpoint_that_failed_for_long_is_told_though_nothing_waits_for_it(outlook: Outlook) -> None:
    _endpoint(outlook, failing_s=7200.0)
    _write(outlook, failed_at=db_now(-3590.0))
    _nothing_waits(outlook)
    outlook.look()
    assert _only(outlook, "webhook_endpoint").status is AlertStatus.FIRING


def test_disabling_is_told_though_nothing_waits(outlook: Outlook) -> None:
    """J10: five days of failures disable an endpoint, with an alert."""
    _endpoint(outlook, failing_s=5.1 * 86400)
    _write(outlook, failed_at=db_now(-2.0 * 86400))
    _nothing_waits(outlook)
    assert len(outlook.database.run(disable_failing)) == 1
    outlook.look()
    alert = _only(outlook, "webhook_endpoint")
    assert (alert.level, alert.details["disabled_reason"]) == (AlertLevel.ERROR, "failing")


def _nothing_waits(outlook: Outlook) -> None:
    with outlook.database.write() as session:
        session.execute(WebhookDelivery.__table__.delete())  # type: ignore[attr-defined]  # SQLModel sets it


def test_an_endpoint_that_said_it_is_gone_is_an_error_for_the_window(outlook: Outlook) -> None:
    """J10: 410 disables an endpoint, and that is told."""
    endpoint = _endpoint(outlook)
    claim = _claim(outlook, endpoint)
    outlook.database.run(lambda session: record(session, claim, Answer(duration_s=0.1, status=410)))
    outlook.look()
    alert = _only(outlook, "webhook_endpoint")
    assert (alert.level, alert.details["disabled_reason"]) == (AlertLevel.ERROR, "gone")
    _write(outlook, disabled_at=db_now(-1000.0))
    outlook.look()
    assert _only(outlook, "webhook_endpoint").status is AlertStatus.RESOLVED


@pytest.mark.parametrize(("reason", "level"), [("failing", [AlertLevel.ERROR]), ("asked", [])])
def test_disabling_is_told_unless_the_owner_wanted_it(outlook: Outlook, reason: str, level: list[Any]) -> None:
    endpoint = _endpoint(outlook, failing_s=7200.0)
    outlook.database.run(lambda session: disable(session, endpoint, DisabledReason(reason)))
    outlook.look()
    assert [alert.level for alert in outlook.alerts() if alert.details["count"] == 1] == level


def test_the_urls_of_an_owners_single_jobs_are_one_alert(outlook: Outlook) -> None:
    """P9: many symptoms of one kind are one alert."""
    for _ in range(3):
        _endpoint(outlook, job_id=uuid7())
    _write(outlook, failing_since=db_now(-3700.0))
    outlook.look()
    alert = _only(outlook, "webhook_endpoint")
    assert (alert.labels, alert.details["count"]) == ({"owner": "ada"}, 3)


def _asked(outlook: Outlook, requests: int, errors: int, route: str = "GET /jobs", minutes_ago: float = 0.0) -> None:
    """Requests that a gateway wrote down."""
    with outlook.database.write() as session:
        minute = int(now(session).timestamp() / 60 - minutes_ago)
        row = session.get(Traffic, (minute, route)) or Traffic(minute=minute, route=route, requests=0, errors=0)
        row.requests, row.errors = row.requests + requests, row.errors + errors
        session.add(row)


def test_an_interface_that_errs_is_told_until_it_answers_again(outlook: Outlook) -> None:
    """P3: the interface's error rate."""
    _asked(outlook, 99, 99)
    outlook.look()
    assert outlook.alerts() == [], "99 requests make no rate"
    _asked(outlook, 101, 0)
    _asked(outlook, 200, 2, route="POST /jobs")
    outlook.look()
    alert = _only(outlook, "api_error_rate")
    assert (alert.level, alert.details["error_rate"], alert.details["requests"]) == (AlertLevel.ERROR, 0.2525, 400)
    assert alert.details["routes"] == {"GET /jobs": 99, "POST /jobs": 2}
    _asked(outlook, 4, 0)
    outlook.look()
    assert _only(outlook, "api_error_rate").status is AlertStatus.RESOLVED, "a quarter is not more than a quarter"


def test_errors_before_the_window_are_forgotten(outlook: Outlook) -> None:
    _asked(outlook, 100, 100, minutes_ago=16)
    outlook.look()
    assert outlook.alerts() == []
    _asked(outlook, 100, 100, minutes_ago=13)
    outlook.look()
    assert _only(outlook, "api_error_rate").details["requests"] == 100


def test_alerts_that_change_are_counted(outlook: Outlook) -> None:
    fired, resolved = (Counted("mill_alerts_total", change=change) for change in ("fired", "resolved"))
    settings = outlook.settings.model_copy(update={"alert_cpu_percent": 100.0, "alert_disk_percent": 100.0})
    alerts = Alerts(replace(outlook.resources, settings=settings))
    _endpoint(outlook, failing_s=3700.0)
    alerts.watch()
    alerts.watch()
    assert outlook.firing() == ["webhook_endpoint"]
    assert (fired.rise(), resolved.rise()) == (1, 0)
    _write(outlook, failing_since=None)
    alerts.watch()
    assert (fired.rise(), resolved.rise()) == (1, 1)
