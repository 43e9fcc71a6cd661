"""Webhooks and what was sent to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from .base import Model


class Webhook(Model):
    """A URL that is told of jobs. `secret` is told once, when it is made or rotated."""

    id: str
    url: str
    description: str = ""
    events: list[str] = Field(default_factory=list)
    payload: str = "small"
    enabled: bool = True
    disabled_at: datetime | None = None
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    previous_until: datetime | None = None
    job_id: str | None = None
    created_at: datetime | None = None
    secret: str | None = Field(default=None, repr=False)


class WebhookList(Model):
    """Every webhook, without the secrets."""

    webhooks: list[Webhook]


class Delivery(Model):
    """One event on its way to a webhook."""

    id: str
    message_id: str
    webhook_id: str
    job_id: str | None = None
    event: str
    status: str
    attempts: int = 0
    next_attempt_at: datetime | None = None
    last_status: int | None = None
    last_error: str | None = None
    created_at: datetime | None = None
    ended_at: datetime | None = None


class DeliveryAttempt(Model):
    """One request that was sent."""

    at: datetime
    duration_seconds: float
    request_head: str = ""
    response_status: int | None = None
    response_head: str = ""
    error: str | None = None


class DeliveryDetail(Delivery):
    """A delivery with its body and every request."""

    body: dict[str, Any] = Field(default_factory=dict)
    requests: list[DeliveryAttempt] = Field(default_factory=list)


class DeliveryPage(Model):
    """One page of deliveries, the newest first."""

    deliveries: list[Delivery]
    next_cursor: str | None = None


class Recovered(Model):
    """How many failed deliveries are sent again."""

    count: int


class WebhookMessage(Model):
    """What a verified request to a webhook says. `id` is the same whenever the event is sent."""

    id: str
    type: str
    timestamp: datetime
    data: dict[str, Any]
