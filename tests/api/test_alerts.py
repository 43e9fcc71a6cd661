"""P3, P6 and P9 over HTTP: alerts are listed, tested, acknowledged, cleared and silenced."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from api.running import Gateway
from api.signing_in import audit, person
from sqlalchemy import update

from mill_common.alerts import Finding, raise_alert
from mill_common.models import Alert, AlertLevel, AlertNotice, AlertStatus, NoticeStatus

ALERTS = "/api/v1/monitoring/alerts"
SILENCES = "/api/v1/monitoring/silences"


def _raise(gateway: Gateway, kind: str = "disk", level: AlertLevel = AlertLevel.WARNING) -> str:
    finding = Finding(level=level, title="High disk usage", message="Full.", labels={"host": uuid4().hex})
    row = gateway.resources.database.run(lambda session: raise_alert(session, kind, finding, lasts_s=60.0))
    return str(row.id)


def _resolve(gateway: Gateway) -> None:
    with gateway.resources.database.write() as session:
        session.execute(update(Alert).values(status=AlertStatus.RESOLVED))


def _silence(gateway: Gateway, **more: object) -> httpx.Response:
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"matchers": {"type": "disk*"}, "reason": "being enlarged", "expires_at": until, **more}
    return gateway.admin.post(SILENCES, json=body)


def test_a_test_alert_fires_and_is_listed_with_everything_an_alert_says(any_gateway: Gateway) -> None:
    """P6: a test alert."""
    made = any_gateway.admin.post(f"{ALERTS}/test", params={"level": "critical"})
    assert made.status_code == 201
    listed = any_gateway.admin.get(ALERTS).json()
    assert listed["alerts"] == [made.json()]
    assert {
        "id",
        "level",
        "title",
        "message",
        "timestamp",
        "job_id",
        "owner",
        "stage",
        "metadata",
    } <= made.json().keys()
    assert (made.json()["level"], made.json()["status"], made.json()["type"]) == ("critical", "firing", "test")


def test_the_list_is_filtered_and_paged(gateway: Gateway) -> None:
    first = _raise(gateway)
    second = _raise(gateway, level=AlertLevel.ERROR)
    third = _raise(gateway, "cpu")
    for query, found in {
        "": [third, second, first],
        "?level=error": [second],
        "?type=disk": [second, first],
        "?status=resolved": [],
        "?limit=1&page=2": [second],
    }.items():
        listed = gateway.admin.get(ALERTS + query).json()
        assert [alert["id"] for alert in listed["alerts"]] == found
    assert gateway.admin.get(f"{ALERTS}?limit=1").json()["total"] == 3


def test_clearing_forgets_what_is_resolved_and_keeps_what_fires(gateway: Gateway) -> None:
    _raise(gateway)
    _resolve(gateway)
    firing = _raise(gateway)
    assert gateway.admin.delete(ALERTS).json() == {"deleted_count": 1}
    assert [alert["id"] for alert in gateway.admin.get(ALERTS).json()["alerts"]] == [firing]


def test_an_acknowledgement_says_who_and_why_and_only_of_what_fires(gateway: Gateway) -> None:
    alert = _raise(gateway)
    done = gateway.admin.post(f"{ALERTS}/{alert}/acknowledge", json={"note": "on it"})
    assert (done.json()["acknowledged_by"], done.json()["note"]) == ("key:MILL_ADMIN_KEY", "on it")
    assert gateway.admin.get(f"{ALERTS}/{alert}").json()["acknowledged_at"] is not None
    _resolve(gateway)
    late = gateway.admin.post(f"{ALERTS}/{alert}/acknowledge")
    assert (late.status_code, late.json()["code"]) == (409, "alert_resolved")
    unknown = gateway.admin.post(f"{ALERTS}/{uuid4()}/acknowledge")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "alert_not_found")


def test_a_silence_is_made_changed_and_ended(any_gateway: Gateway) -> None:
    """P9: silences have an expiry and a reason."""
    made = _silence(any_gateway)
    assert (made.status_code, made.json()["active"], made.json()["created_by"]) == (201, True, "key:MILL_ADMIN_KEY")
    one = f"{SILENCES}/{made.json()['id']}"
    changed = any_gateway.admin.patch(one, json={"reason": "still being enlarged"})
    assert changed.json()["reason"] == "still being enlarged"
    assert any_gateway.admin.delete(one).status_code == 204
    assert any_gateway.admin.get(one).json()["active"] is False
    assert [silence["active"] for silence in any_gateway.admin.get(SILENCES).json()["silences"]] == [False]


@pytest.mark.parametrize(
    "more",
    [{"matchers": {}}, {"reason": ""}, {"expires_at": "2001-01-01T00:00:00Z"}, {"matchers": {"a b": "x"}}],
)
def test_a_silence_without_an_end_a_reason_or_a_matcher_is_refused(gateway: Gateway, more: dict[str, object]) -> None:
    assert _silence(gateway, **more).status_code == 422


def test_a_notice_that_was_not_taken_is_seen(gateway: Gateway) -> None:
    """A10: failures to notify are visible."""
    notice = AlertNotice(route="ops", key="", level=AlertLevel.ERROR, title="t", body="b")
    notice.status, notice.error = NoticeStatus.FAILED, "It was not taken."
    with gateway.resources.database.write() as session:
        session.add(notice)
    [seen] = gateway.admin.get("/api/v1/monitoring/notices?status=failed").json()["notices"]
    assert (seen["route"], seen["error"]) == ("ops", "It was not taken.")


@pytest.mark.parametrize("path", [ALERTS, SILENCES, "/api/v1/monitoring/notices"])
def test_a_key_for_jobs_sees_no_alerts(gateway: Gateway, ada: httpx.Client, path: str) -> None:
    assert ada.get(path).status_code == 403


def test_a_viewer_reads_alerts_and_an_operator_sees_to_them(any_gateway: Gateway) -> None:
    """A8: who did what to an alert stands in the audit log."""
    alert = _raise(any_gateway)
    with person(any_gateway, "vera", "viewer") as vera, person(any_gateway, "otto", "operator") as otto:
        assert vera.get(f"{ALERTS}/{alert}").json()["status"] == "firing"
        assert vera.post(f"{ALERTS}/{alert}/acknowledge").status_code == 403
        seen_to = otto.post(f"{ALERTS}/{alert}/acknowledge", json={"note": "on it"}).json()
        assert otto.post(f"{ALERTS}/test").status_code == 201
        assert otto.delete(ALERTS).status_code == 403
    assert seen_to["acknowledged_by"] == "user:otto"
    [entry] = audit(any_gateway, action="acknowledge_alert", outcome="done")
    assert (entry["actor"], entry["target"]) == ("user:otto", f"alert:{alert}")
    assert (entry["before"]["acknowledged_by"], entry["after"]["note"]) == (None, "on it")


def test_what_is_done_to_a_silence_is_in_the_audit_log(any_gateway: Gateway) -> None:
    one = f"{SILENCES}/{_silence(any_gateway).json()['id']}"
    any_gateway.admin.patch(one, json={"reason": "still being enlarged"})
    any_gateway.admin.delete(one)
    ended, changed, made = audit(any_gateway, target=f"silence:{one.rpartition('/')[2]}")
    assert (made["before"], made["after"]["matchers"]) == (None, {"type": "disk*"})
    assert (changed["before"]["reason"], changed["after"]["reason"]) == ("being enlarged", "still being enlarged")
    assert ended["after"]["expires_at"] < ended["before"]["expires_at"]
