"""Calls about webhooks and what was sent to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._retries import Repeat
from ..models import Delivery, DeliveryDetail, DeliveryPage, Recovered, Webhook, WebhookList
from .call import Call, Params, given, nothing, path, reading


def create(body: Mapping[str, Any]) -> Call[Webhook]:
    return Call("POST", path("webhooks"), reading(Webhook), Repeat.UNTAKEN, json=dict(body))


def listed(job_id: str | None) -> Call[WebhookList]:
    return Call("GET", path("webhooks"), reading(WebhookList), params=given(job_id=job_id))


def get(webhook_id: str) -> Call[Webhook]:
    return Call("GET", path("webhooks", webhook_id), reading(Webhook))


def change(webhook_id: str, body: Mapping[str, Any]) -> Call[Webhook]:
    return Call("PATCH", path("webhooks", webhook_id), reading(Webhook), json=dict(body))


def delete(webhook_id: str) -> Call[None]:
    return Call("DELETE", path("webhooks", webhook_id), nothing, Repeat.UNTAKEN)


def rotate_secret(webhook_id: str, body: Mapping[str, Any]) -> Call[Webhook]:
    where = path("webhooks", webhook_id, "rotate-secret")
    return Call("POST", where, reading(Webhook), Repeat.UNTAKEN, json=dict(body))


def test(webhook_id: str) -> Call[Delivery]:
    return Call("POST", path("webhooks", webhook_id, "test"), reading(Delivery), Repeat.UNTAKEN)


def deliveries(webhook_id: str, params: Params) -> Call[DeliveryPage]:
    return Call("GET", path("webhooks", webhook_id, "deliveries"), reading(DeliveryPage), params=params)


def delivery(webhook_id: str, delivery_id: str) -> Call[DeliveryDetail]:
    return Call("GET", path("webhooks", webhook_id, "deliveries", delivery_id), reading(DeliveryDetail))


def redeliver(webhook_id: str, delivery_id: str) -> Call[Delivery]:
    where = path("webhooks", webhook_id, "deliveries", delivery_id, "redeliver")
    return Call("POST", where, reading(Delivery), Repeat.UNTAKEN)


def recover(webhook_id: str, body: Mapping[str, Any]) -> Call[Recovered]:
    return Call("POST", path("webhooks", webhook_id, "recover"), reading(Recovered), Repeat.UNTAKEN, json=dict(body))
