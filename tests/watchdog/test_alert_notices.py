"""Who is told what, how often, and what becomes of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr
from smtp_sink import smtp_sink
from sqlalchemy import update
from watchdog.outlook import Outlook

from mill_common.alerts import Finding, Rule, View, acknowledge, prune, raise_alert
from mill_common.clock import db_now
from mill_common.models import (
    Alert,
    AlertGroup,
    AlertLevel,
    AlertNotice,
    AlertSilence,
    AlertStatus,
    AlertTurn,
    NoticeStatus,
)
from mill_common.resources import Resources
from mill_common.runs.ledger import now
from mill_common.settings import Settings
from mill_watchdog.alerts import Alerts
from mill_watchdog.lifeline import send_heartbeat
from mill_watchdog.notices import Courier
from mill_watchdog.routes import RoutesUnusable, routes_of
from mill_watchdog.rules.watching import NoticesFailing


class Told(Rule):
    """Finds what it is told to find."""

    type = "told"

    def __init__(self) -> None:
        self.names: dict[str, AlertLevel] = {}

    def find(self, view: View) -> Iterator[Finding]:
        """What a test put here."""
        for name, level in self.names.items():
            yield Finding(level=level, title=f"About {name}", message="Look.", labels={"name": name})


class Receiver:
    """An HTTP server that takes notices, or does not."""

    def __init__(self) -> None:
        self.status = 200
        self.bodies: list[dict[str, Any]] = []
        self.asked: list[str] = []


@contextmanager
def receiving() -> Iterator[tuple[Receiver, int]]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if receiver.status == 200:
                receiver.bodies.append(json.loads(body))
            self._answer()

        def do_GET(self) -> None:
            receiver.asked.append(self.path)
            self._answer()

        def _answer(self) -> None:
            self.send_response(receiver.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield receiver, server.server_port
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def outlook(resources: Resources, told: Told) -> Outlook:
    return _outlook(resources, told, [{"name": "ops", "url": "json://127.0.0.1:9/"}])


def _outlook(resources: Resources, told: Told, routes: list[dict[str, Any]], **settings: Any) -> Outlook:
    values = {"alert_routes": SecretStr(json.dumps(routes)), "alert_group_wait_s": 0.0, **settings}
    return Outlook(replace(resources, settings=resources.settings.model_copy(update=values)), [told])


def _later(outlook: Outlook, seconds: float) -> None:
    outlook.pass_time(AlertGroup, seconds, "flush_at", "sent_at")


def test_alerts_of_a_group_come_in_one_notice_and_once(outlook: Outlook, told: Told) -> None:
    """P9: alerts are grouped, and nobody is told the same again too soon."""
    told.names = {"a": AlertLevel.WARNING, "b": AlertLevel.CRITICAL}
    for _ in range(3):
        outlook.look()
    [notice] = outlook.notices()
    assert (notice.level, notice.title) == (AlertLevel.CRITICAL, "[CRITICAL] About a (+1 more)")
    assert len(notice.alerts) == 2


def test_a_group_waits_for_what_comes_together(resources: Resources, told: Told) -> None:
    outlook = _outlook(resources, told, [{"name": "ops", "url": "json://127.0.0.1:9/"}], alert_group_wait_s=30.0)
    told.names = {"a": AlertLevel.WARNING}
    outlook.look()
    outlook.look()
    assert outlook.notices() == []
    told.names["b"] = AlertLevel.WARNING
    outlook.look()
    _later(outlook, 31.0)
    outlook.look()
    assert [len(notice.alerts) for notice in outlook.notices()] == [2]


def test_what_is_new_and_what_is_over_is_told_after_the_group_s_interval(outlook: Outlook, told: Told) -> None:
    """P9: resolved notices."""
    told.names = {"a": AlertLevel.WARNING}
    outlook.look()
    outlook.look()
    told.names = {"b": AlertLevel.WARNING}
    outlook.look()
    assert len(outlook.notices()) == 1
    _later(outlook, 301.0)
    outlook.look()
    _, second = outlook.notices()
    assert second.title == "[WARNING] About b"
    assert "About a is resolved" in second.body
    told.names = {}
    _later(outlook, 301.0)
    outlook.look()
    last = outlook.notices()[-1]
    assert (last.resolved, last.title) == (True, "[RESOLVED] About b")
    _later(outlook, 301.0)
    outlook.look()
    assert outlook.desk.count(AlertGroup) == 0
    assert len(outlook.notices()) == 3


def test_what_goes_on_is_told_again_after_four_hours_unless_acknowledged(outlook: Outlook, told: Told) -> None:
    """P9: the repeat interval and acknowledgement."""
    told.names = {"a": AlertLevel.WARNING}
    outlook.look()
    outlook.look()
    _later(outlook, 4 * 3600.0 + 1)
    outlook.look()
    assert len(outlook.notices()) == 2
    [alert] = outlook.alerts()
    outlook.database.run(lambda session: acknowledge(session, alert.id, by="ada"))
    _later(outlook, 4 * 3600.0 + 1)
    outlook.look()
    assert len(outlook.notices()) == 2
    told.names = {}
    _later(outlook, 301.0)
    outlook.look()
    assert outlook.notices()[-1].resolved


def test_a_silence_mutes_what_matches_until_it_expires(outlook: Outlook, told: Told) -> None:
    """P9: silences."""
    with outlook.database.write() as session:
        until = now(session) + timedelta(hours=1)
        session.add(AlertSilence(matchers={"name": "a*"}, reason="known", created_by="ada", expires_at=until))
    told.names = {"a1": AlertLevel.CRITICAL, "b": AlertLevel.WARNING}
    outlook.look()
    outlook.look()
    assert [notice.title for notice in outlook.notices()] == ["[WARNING] About b"]
    with outlook.database.write() as session:
        session.execute(update(AlertSilence).values(expires_at=db_now(-1.0)))
    _later(outlook, 301.0)
    outlook.look()
    assert outlook.notices()[-1].level is AlertLevel.CRITICAL


def test_routes_take_their_levels_and_labels(resources: Resources, told: Told) -> None:
    routes: list[dict[str, Any]] = [
        {"name": "pager", "url": "json://127.0.0.1:9/", "level": "critical"},
        {"name": "chat", "url": "json://127.0.0.1:9/", "level": "info", "match": {"name": "b"}},
    ]
    outlook = _outlook(resources, told, routes)
    told.names = {"a": AlertLevel.CRITICAL, "b": AlertLevel.INFO, "c": AlertLevel.ERROR}
    outlook.look()
    outlook.look()
    assert {notice.route: notice.title for notice in outlook.notices()} == {
        "pager": "[CRITICAL] About a",
        "chat": "[INFO] About b",
    }


def test_a_notice_arrives_and_one_that_is_not_taken_is_tried_again(resources: Resources, told: Told) -> None:
    """A10: notices go out by Apprise; one that fails is a row that says so, and is retried."""
    with receiving() as (receiver, port):
        outlook = _outlook(resources, told, [{"name": "ops", "url": f"json://me:s3cr3tword@127.0.0.1:{port}/hidden"}])
        courier = Courier(outlook.database, outlook.routes, outlook.settings)
        told.names = {"a": AlertLevel.ERROR}
        outlook.look()
        outlook.look()
        receiver.status = 500
        assert courier.deliver() == 0
        [notice] = outlook.notices()
        assert (notice.status, notice.attempts) == (NoticeStatus.WAITING, 1)
        assert notice.error
        assert not {"s3cr3tword", "hidden"} & set(notice.error.replace("/", " ").split())
        receiver.status = 200
        assert courier.deliver() == 0  # not yet
        outlook.pass_time(AlertNotice, 60.0, "next_at")
        assert courier.deliver() == 1
        [notice] = outlook.notices()
        assert (notice.status, notice.error) == (NoticeStatus.SENT, None)
        [body] = receiver.bodies
        assert (body["title"], body["type"]) == ("[ERROR] About a", "failure")
        assert courier.deliver() == 0


def test_a_notice_arrives_by_mail(resources: Resources, told: Told) -> None:
    """A10: alerts by e-mail."""
    with smtp_sink() as (messages, port):
        url = f"mailto://127.0.0.1:{port}?from=mill@example.org&to=ops@example.org&format=text"
        outlook = _outlook(resources, told, [{"name": "mail", "url": url}])
        told.names = {"a": AlertLevel.ERROR}
        outlook.look()
        outlook.look()
        assert Courier(outlook.database, outlook.routes, outlook.settings).deliver() == 1
    [message] = messages
    assert "Subject: [ERROR] About a" in message
    assert "About a is firing" in message


def test_a_notice_that_nobody_takes_is_given_up_and_stays_visible(resources: Resources, told: Told) -> None:
    outlook = _outlook(resources, told, [{"name": "ops", "url": "json://127.0.0.1:9/"}], alert_attempts=2)
    courier = Courier(outlook.database, outlook.routes, outlook.settings)
    told.names = {"a": AlertLevel.ERROR}
    outlook.look()
    outlook.look()
    for _ in range(3):
        courier.deliver()
        outlook.pass_time(AlertNotice, 60.0, "next_at")
    [notice] = outlook.notices()
    assert (notice.status, notice.attempts) == (NoticeStatus.FAILED, 2)


def test_what_grows_worse_is_told_anew_and_what_gets_better_is_not(outlook: Outlook, told: Told) -> None:
    for level in (AlertLevel.WARNING, AlertLevel.CRITICAL, AlertLevel.WARNING):
        told.names = {"a": level}
        for _ in range(2):
            outlook.look()
            _later(outlook, 301.0)
    assert [notice.title for notice in outlook.notices()] == ["[WARNING] About a", "[CRITICAL] About a"]


def test_a_route_that_takes_nothing_is_told_of_until_it_takes_something(resources: Resources, told: Told) -> None:
    with receiving() as (receiver, port):
        routes = [{"name": "ops", "url": f"json://127.0.0.1:{port}/"}]
        outlook = _outlook(resources, told, routes, alert_attempts=4, alert_repeat_s=1000.0)
        outlook.rules.append(NoticesFailing())
        courier = Courier(outlook.database, outlook.routes, outlook.settings)
        receiver.status = 500
        told.names = {"a": AlertLevel.ERROR}
        outlook.look()
        firing = []
        for _ in range(5):
            outlook.look()
            courier.deliver()
            outlook.pass_time(AlertNotice, 3600.0, "next_at")
            firing.append("notices_failing" in outlook.firing())
        assert firing == [False, False, False, True, True]
        assert outlook.notices()[0].status is NoticeStatus.FAILED
        outlook.look()
        assert outlook.firing() == ["notices_failing", "told"], "it is given up, and the route is no better"
        receiver.status = 200
        _later(outlook, 1001.0)
        outlook.look()
        assert courier.deliver() > 0
        outlook.look()
        assert outlook.firing() == ["told"]


def test_a_watchdog_that_lost_its_attempt_does_not_settle_the_notice(resources: Resources, told: Told) -> None:
    outlook = _outlook(resources, told, [{"name": "ops", "url": "json://127.0.0.1:9/"}])
    courier = Courier(outlook.database, outlook.routes, outlook.settings)
    told.names = {"a": AlertLevel.ERROR}
    outlook.look()
    outlook.look()
    [late] = outlook.notices()
    courier.deliver()
    outlook.database.run(lambda session: courier._settle(session, late, None))
    assert outlook.notices()[0].status is NoticeStatus.WAITING


def test_an_event_fires_at_once_and_ends_by_itself(outlook: Outlook) -> None:
    finding = Finding(level=AlertLevel.WARNING, title="Disabled", message="It is.", labels={"endpoint": "1"})
    for _ in range(2):
        outlook.database.run(lambda session: raise_alert(session, "endpoint_disabled", finding, lasts_s=60.0))
    outlook.look()
    assert outlook.firing() == ["endpoint_disabled"]
    outlook.pass_time(Alert, 61.0, "ends_at")
    outlook.look()
    assert outlook.firing() == []


def test_two_watchdogs_at_once_open_an_alert_once(resources: Resources, told: Told) -> None:
    """P9: one row a condition, whoever looks."""
    outlook = _outlook(resources, told, [{"name": "ops", "url": "json://127.0.0.1:9/"}])
    told.names = {str(number): AlertLevel.WARNING for number in range(20)}
    threads = [threading.Thread(target=outlook.look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outlook.look()
    assert len(outlook.alerts()) == 20
    assert len(outlook.notices()) == 1


def test_the_newest_resolved_alerts_are_kept_and_all_that_fire(outlook: Outlook, told: Told) -> None:
    """P3: keep 500."""
    told.names = {str(number): AlertLevel.WARNING for number in range(5)}
    outlook.look()
    kept = [alert.id for alert in outlook.alerts()][3:]
    told.names = {}
    outlook.look()
    told.names = {"still": AlertLevel.WARNING}
    outlook.look()
    assert outlook.database.run(lambda session: prune(session, keep=2)) == 3
    assert [alert.id for alert in outlook.alerts(status=AlertStatus.RESOLVED)] == kept
    assert outlook.firing() == ["told"]
    assert Settings().alert_keep == 500


@pytest.mark.parametrize(
    "given",
    [
        "no json: s3cr3tword",
        '{"name": "s3cr3tword"}',
        '[{"name": "a", "url": "slack://s3cr3tword", "level": "loud"}]',
        '[{"name": "a", "url": "nosuch://s3cr3tword"}]',
        '[{"name": "a", "url": "json://s3cr3tword"}, {"name": "a", "url": "json://s3cr3tword"}]',
    ],
)
def test_bad_routes_are_refused_without_quoting_them(given: str) -> None:
    with pytest.raises(RoutesUnusable) as refused:
        routes_of(Settings(alert_routes=SecretStr(given)))
    assert "s3cr3tword" not in str(refused.value)


def test_the_dead_man_s_switch_asks_its_url(caplog: pytest.LogCaptureFixture) -> None:
    with receiving() as (receiver, port):
        settings = Settings(alert_heartbeat_url=SecretStr(f"http://127.0.0.1:{port}/ping/s3cr3tword"))
        assert send_heartbeat(settings)
        assert receiver.asked == ["/ping/s3cr3tword"]
        receiver.status = 503
        assert not send_heartbeat(settings)
    assert not send_heartbeat(settings)
    assert "s3cr3tword" not in caplog.text


def test_the_pings_end_when_the_rules_are_no_longer_evaluated(resources: Resources) -> None:
    with receiving() as (receiver, port):
        url = SecretStr(f"http://127.0.0.1:{port}/ping")
        settings = resources.settings.model_copy(update={"alert_heartbeat_url": url, "alert_every_s": 1e6})
        alerts = Alerts(replace(resources, settings=settings))
        outlook = Outlook(resources)
        alerts.tick()
        outlook.pass_time(AlertTurn, 61.0, "next_at")
        alerts.tick()
        assert receiver.asked == ["/ping", "/ping"]
        outlook.pass_time(AlertTurn, 5e6, "done_at")  # the evaluation's turn is long taken, and never ended
        outlook.pass_time(AlertTurn, 61.0, "next_at")
        alerts.tick()
        assert receiver.asked == ["/ping", "/ping"]


def test_without_a_url_there_is_no_heartbeat() -> None:
    assert not send_heartbeat(Settings())
