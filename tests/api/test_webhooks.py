"""J10: webhooks as their owner manages them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from api.running import Gateway, claim, complete, plan, submit
from sqlalchemy import select, update
from sqlmodel import col

from mill_api.webhooks.owned import check_room
from mill_common.errors import SourceUnreadable
from mill_common.models import WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus, DisabledReason
from mill_common.queue import Spent

HOOKS = "/api/v1/webhooks"
URL = "https://hooks.example.org/mill?token=hush"


def _hook(client: httpx.Client, **fields: Any) -> dict[str, Any]:
    made = client.post(HOOKS, json={"url": URL, **fields})
    assert made.status_code == 201, made.text
    body: dict[str, Any] = made.json()
    return body


def _deliveries(client: httpx.Client, hook: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    listed = client.get(f"{HOOKS}/{hook['id']}/deliveries", params=query)
    assert listed.status_code == 200, listed.text
    found: list[dict[str, Any]] = listed.json()["deliveries"]
    return found


def _set(gateway: Gateway, status: DeliveryStatus, delivery_id: str | None = None) -> None:
    changed = update(WebhookDelivery).values(status=status, attempts=3)
    if delivery_id is not None:
        changed = changed.where(col(WebhookDelivery.id) == UUID(delivery_id))
    with gateway.resources.database.write() as session:
        session.execute(changed)


def test_a_secret_is_shown_once_and_never_listed(gateway: Gateway, ada: httpx.Client) -> None:
    hook = _hook(ada, description="ours")
    assert hook["secret"].startswith("whsec_")
    assert hook["events"] == ["job.completed", "job.failed"]
    assert (hook["payload"], hook["enabled"], hook["description"]) == ("small", True, "ours")
    for path in (HOOKS, f"{HOOKS}/{hook['id']}"):
        assert hook["secret"] not in ada.get(path).text
    changed = ada.patch(f"{HOOKS}/{hook['id']}", json={"description": "theirs"})
    assert (changed.json()["description"], "secret" in changed.json()) == ("theirs", False)


def test_another_owner_s_webhook_is_not_there(ada: httpx.Client, bob: httpx.Client) -> None:
    hook = _hook(ada)
    sent = ada.post(f"{HOOKS}/{hook['id']}/test").json()["id"]
    one = f"{HOOKS}/{hook['id']}"
    answers = [
        bob.get(one),
        bob.patch(one, json={"enabled": False}),
        bob.delete(one),
        bob.post(f"{one}/rotate-secret"),
        bob.post(f"{one}/test"),
        bob.post(f"{one}/recover", json={"since": "2020-01-01T00:00:00Z"}),
        bob.get(f"{one}/deliveries"),
        bob.get(f"{one}/deliveries/{sent}"),
        bob.post(f"{one}/deliveries/{sent}/redeliver"),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(404, "webhook_not_found")] * 9
    assert bob.get(HOOKS).json() == {"webhooks": []}
    # Nor does a webhook of one's own open another's deliveries.
    own = _hook(bob)
    assert bob.get(f"{HOOKS}/{own['id']}/deliveries/{sent}").json()["code"] == "delivery_not_found"


def test_another_owner_s_job_shows_no_deliveries(gateway: Gateway, ada: httpx.Client, bob: httpx.Client) -> None:
    _hook(ada)
    job_id = submit(ada)
    assert bob.get(f"/api/v1/jobs/{job_id}/deliveries").json()["code"] == "job_not_found"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://[::1]:8000/", "http://169.254.169.254/", "http://2130706433/", "ftp://a.org/"]
)
def test_a_url_that_leads_inside_is_refused(ada: httpx.Client, url: str) -> None:
    refused = ada.post(HOOKS, json={"url": url})
    assert (refused.status_code, refused.json()["code"]) == (422, "address_refused")
    hook = _hook(ada)
    assert ada.patch(f"{HOOKS}/{hook['id']}", json={"url": url}).json()["code"] == "address_refused"
    job = {"source": {"url": "https://example.org/a.mp4"}, "webhook": {"url": url}}
    assert ada.post("/api/v1/jobs", json=job).json()["code"] == "address_refused"
    assert ada.get("/api/v1/jobs").json()["total"] == 0


@pytest.mark.parametrize("events", [[], ["webhook.test"], ["webhook.disabled"], ["job.born"], "job.failed"])
def test_an_event_that_cannot_be_chosen_is_refused(ada: httpx.Client, events: Any) -> None:
    assert ada.post(HOOKS, json={"url": URL, "events": events}).json()["code"] == "invalid_request"


def test_an_owner_has_twenty_webhooks_at_most(ada: httpx.Client) -> None:
    for _ in range(20):
        _hook(ada)
    assert ada.post(HOOKS, json={"url": URL}).json()["code"] == "too_many_webhooks"


def test_webhooks_made_at_once_are_not_too_many_together(any_gateway: Gateway) -> None:
    with any_gateway.owner("eve") as eve, ThreadPoolExecutor() as pool:
        for _ in range(19):
            _hook(eve)
        with any_gateway.resources.database.write() as session:
            check_room(session, "eve")
            row = session.scalars(select(WebhookEndpoint).limit(1)).one()
            session.add(WebhookEndpoint(**row.model_dump(exclude={"id"})))
            session.flush()
            sent = pool.submit(eve.post, HOOKS, json={"url": URL})
            with pytest.raises(TimeoutError):
                sent.result(timeout=1)
        assert sent.result(timeout=20).json()["code"] == "too_many_webhooks"


def test_a_rotated_secret_is_a_new_one_and_keeps_the_old_one_for_a_while(gateway: Gateway, ada: httpx.Client) -> None:
    hook = _hook(ada)
    rotated = ada.post(f"{HOOKS}/{hook['id']}/rotate-secret", json={"grace_seconds": 3600}).json()
    assert rotated["secret"] not in (hook["secret"], None)
    ends = datetime.fromisoformat(rotated["previous_until"]) - datetime.now(UTC)
    assert timedelta(minutes=50) < ends < timedelta(minutes=70)
    with gateway.resources.database.read() as session:
        row = session.scalars(select(WebhookEndpoint)).one()
    assert (row.secret, row.previous_secret) == (rotated["secret"], hook["secret"])


def test_a_disabled_webhook_gives_up_what_waits_and_takes_nothing(gateway: Gateway, ada: httpx.Client) -> None:
    hook = _hook(ada)
    one = f"{HOOKS}/{hook['id']}"
    sent = ada.post(f"{one}/test").json()
    assert (sent["status"], sent["event"], sent["message_id"]) == (
        "pending",
        "webhook.test",
        f"msg_{UUID(sent['id']).hex}",
    )
    disabled = ada.patch(one, json={"enabled": False}).json()
    assert (disabled["enabled"], disabled["disabled_reason"]) == (False, "asked")
    [given_up] = _deliveries(ada, hook)
    assert (given_up["status"], given_up["last_error"]) == ("failed", "The endpoint is disabled.")
    for path in ("test", f"deliveries/{sent['id']}/redeliver"):
        assert ada.post(f"{one}/{path}").json()["code"] == "webhook_disabled"
    assert ada.post(f"{one}/recover", json={"since": "2020-01-01T00:00:00Z"}).json()["code"] == "webhook_disabled"
    submit(ada)
    complete(gateway.resources)
    assert len(_deliveries(ada, hook)) == 1


def test_enabling_ends_what_failures_brought_about(gateway: Gateway, ada: httpx.Client) -> None:
    hook = _hook(ada)
    ended = {
        "enabled": False,
        "disabled_reason": DisabledReason.FAILING,
        "failing_since": datetime(2020, 1, 1, tzinfo=UTC),
    }
    with gateway.resources.database.write() as session:
        session.execute(update(WebhookEndpoint).values(**ended))
    enabled = ada.patch(f"{HOOKS}/{hook['id']}", json={"enabled": True}).json()
    assert (enabled["enabled"], enabled["disabled_reason"], enabled["failing_since"]) == (True, None, None)


def test_a_removed_webhook_takes_its_deliveries_along(gateway: Gateway, ada: httpx.Client) -> None:
    hook = _hook(ada)
    ada.post(f"{HOOKS}/{hook['id']}/test")
    assert ada.delete(f"{HOOKS}/{hook['id']}").status_code == 204
    with gateway.resources.database.read() as session:
        assert session.scalars(select(WebhookDelivery)).all() == []


def test_a_job_s_own_url_is_told_of_that_job_alone(gateway: Gateway, ada: httpx.Client) -> None:
    own = {"url": URL, "events": ["job.started", "job.completed"]}
    told = submit(ada, webhook=own)
    complete(gateway.resources)
    submit(ada)
    complete(gateway.resources)
    assert ada.get(HOOKS).json() == {"webhooks": []}
    [hook] = ada.get(HOOKS, params={"job_id": told}).json()["webhooks"]
    assert (hook["job_id"], hook["url"]) == (told, URL)
    assert [sent["event"] for sent in _deliveries(ada, hook)] == ["job.completed", "job.started"]
    of_job = ada.get(f"/api/v1/jobs/{told}/deliveries").json()["deliveries"]
    assert [sent["event"] for sent in of_job] == ["job.completed", "job.started"]


def test_a_job_s_secret_is_shown_in_the_answer_that_made_the_job(gateway: Gateway, ada: httpx.Client) -> None:
    body = {"source": {"url": "https://example.org/a.mp4"}, "webhook": {"url": URL}}
    made, again = (ada.post("/api/v1/jobs", json=body, headers={"Idempotency-Key": "one"}) for _ in range(2))
    assert (made.status_code, again.status_code) == (201, 200)
    secret = made.json()["webhook_secret"]
    assert secret.startswith("whsec_")
    job_id = made.json()["job_id"]
    assert secret not in again.text + ada.get(f"/api/v1/jobs/{job_id}").text
    with gateway.resources.database.read() as session:
        assert session.scalars(select(WebhookEndpoint)).one().secret == secret


def test_a_client_may_choose_a_job_s_secret(gateway: Gateway, ada: httpx.Client) -> None:
    secret = "whsec_" + "QUJD" * 8
    body = {"source": {"url": "https://example.org/a.mp4"}, "webhook": {"url": URL, "secret": secret}}
    made = ada.post("/api/v1/jobs", json=body)
    assert (made.status_code, made.json()["webhook_secret"]) == (201, None)
    with gateway.resources.database.read() as session:
        assert session.scalars(select(WebhookEndpoint)).one().secret == secret
    for bad in ("whsec_short", "QUJD" * 8, "whsec_" + "?" * 40, "whsec_" + "QUJD" * 24):
        refused = ada.post("/api/v1/jobs", json={**body, "webhook": {"url": URL, "secret": bad}})
        assert refused.json()["code"] == "invalid_request"


def test_deliveries_are_filtered_and_paged(gateway: Gateway, ada: httpx.Client) -> None:
    hook = _hook(ada, events=["job.started", "job.completed", "job.cancelled"])
    for _ in range(3):
        submit(ada)
        complete(gateway.resources)
    cancelled = submit(ada)
    ada.post(f"/api/v1/jobs/{cancelled}/cancel")
    events = [sent["event"] for sent in _deliveries(ada, hook)]
    assert events == ["job.cancelled", *["job.completed", "job.started"] * 3]
    assert len(_deliveries(ada, hook, event="job.started")) == 3
    assert _deliveries(ada, hook, status="delivered") == []
    between = _deliveries(ada, hook)[3]["created_at"]
    assert len(_deliveries(ada, hook, from_date=between)) == len(_deliveries(ada, hook)) - len(
        [sent for sent in _deliveries(ada, hook) if sent["created_at"] < between]
    )
    paged: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = ada.get(f"{HOOKS}/{hook['id']}/deliveries", params={"per_page": 2, **cursor}).json()
        paged += [sent["id"] for sent in page["deliveries"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert paged == [sent["id"] for sent in _deliveries(ada, hook)]
    crooked = ada.get(f"{HOOKS}/{hook['id']}/deliveries", params={"cursor": "abcd"})
    assert (crooked.status_code, crooked.json()["code"]) == (422, "invalid_request")


def test_a_delivery_shows_what_it_says(gateway: Gateway, ada: httpx.Client) -> None:
    hook = _hook(ada, events=["job.failed"], payload="full")
    job_id = submit(ada, metadata={"ticket": 7})
    plan(gateway.resources)
    error = SourceUnreadable("No picture.")
    gateway.resources.queue.fail(claim(gateway.resources), error, Spent())
    [sent] = _deliveries(ada, hook)
    shown = ada.get(f"{HOOKS}/{hook['id']}/deliveries/{sent['id']}").json()
    assert shown["requests"] == []
    assert shown["body"]["type"] == "job.failed"
    data = shown["body"]["data"]
    assert (data["job_id"], data["status"], data["error_code"]) == (job_id, "failed", "source_unreadable")
    assert (data["metadata"], data["filename"]) == ({"ticket": 7}, "clip.mp4")


def test_one_delivery_is_sent_again_under_its_id(gateway: Gateway, ada: httpx.Client) -> None:
    hook = _hook(ada)
    sent = ada.post(f"{HOOKS}/{hook['id']}/test").json()
    again = f"{HOOKS}/{hook['id']}/deliveries/{sent['id']}/redeliver"
    _set(gateway, DeliveryStatus.DELIVERED)
    redone = ada.post(again)
    assert redone.status_code == 202
    assert (redone.json()["message_id"], redone.json()["status"], redone.json()["attempts"]) == (
        sent["message_id"],
        "pending",
        0,
    )
    _set(gateway, DeliveryStatus.SENDING)
    assert ada.post(again).json()["code"] == "delivery_under_way"


def test_a_delivery_that_waits_for_its_next_attempt_is_sent_at_once(gateway: Gateway, ada: httpx.Client) -> None:
    hook = _hook(ada)
    sent = ada.post(f"{HOOKS}/{hook['id']}/test").json()
    with gateway.resources.database.write() as session:
        session.execute(update(WebhookDelivery).values(attempts=7, next_at=datetime.now(UTC) + timedelta(hours=14)))
    redone = ada.post(f"{HOOKS}/{hook['id']}/deliveries/{sent['id']}/redeliver")
    assert (redone.status_code, redone.json()["attempts"]) == (202, 0)
    with gateway.resources.database.read() as session:
        due = session.scalars(select(col(WebhookDelivery.next_at))).one()
    assert due <= datetime.now(UTC)


def test_what_failed_since_a_time_is_sent_again(gateway: Gateway, ada: httpx.Client) -> None:
    hook, other = _hook(ada), _hook(ada)
    for each in (hook, hook, hook, other):
        ada.post(f"{HOOKS}/{each['id']}/test")
    _set(gateway, DeliveryStatus.FAILED)
    newest, middle, oldest = _deliveries(ada, hook)
    _set(gateway, DeliveryStatus.DELIVERED, newest["id"])
    with gateway.resources.database.write() as session:
        early = update(WebhookDelivery).where(col(WebhookDelivery.id) == UUID(oldest["id"]))
        session.execute(early.values(created_at=datetime.now(UTC) - timedelta(hours=2)))
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    recovered = ada.post(f"{HOOKS}/{hook['id']}/recover", json={"since": since})
    assert (recovered.status_code, recovered.json()) == (202, {"count": 1})
    assert [sent["id"] for sent in _deliveries(ada, hook, status="pending")] == [middle["id"]]
    assert _deliveries(ada, other, status="pending") == []
