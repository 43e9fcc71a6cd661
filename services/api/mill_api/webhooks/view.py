"""Webhooks and deliveries as their owner sees them."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from mill_api.fields import Time
from mill_common.hooks.payload import body
from mill_common.hooks.secrets import message_id
from mill_common.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus, DisabledReason, PayloadSize, WebhookEvent


class WebhookView(BaseModel):
    """A webhook without its secret."""

    id: UUID
    url: str
    description: str
    events: list[WebhookEvent]
    payload: PayloadSize
    enabled: bool
    disabled_at: Time | None
    disabled_reason: DisabledReason | None
    failing_since: Time | None = Field(description="The first failure that no success has followed.")
    previous_until: Time | None = Field(description="Until when the secret before the last rotation signs as well.")
    job_id: UUID | None = Field(description="The one job that it is told of; null for all of the owner's.")
    created_at: Time
    updated_at: Time


class WebhookMade(WebhookView):
    """A webhook, this once with its secret."""

    secret: str


class WebhookList(BaseModel):
    """The owner's webhooks, the newest first."""

    webhooks: list[WebhookView]


class DeliveryView(BaseModel):
    """One event for one webhook."""

    id: UUID
    message_id: str = Field(description="What the receiver finds in `webhook-id`, however often it is sent.")
    webhook_id: UUID
    job_id: UUID | None
    event: WebhookEvent
    status: DeliveryStatus
    attempts: int
    next_attempt_at: Time | None
    last_status: int | None = Field(description="Of the receiver's latest answer.")
    last_error: str | None
    created_at: Time = Field(description="When it happened.")
    ended_at: Time | None


class DeliveryAttempt(BaseModel):
    """One request and what came back."""

    at: Time
    duration_seconds: float
    request_head: str
    response_status: int | None
    response_head: str
    error: str | None


class DeliveryDetail(DeliveryView):
    """A delivery with what it says and every request that was made."""

    body: dict[str, Any]
    requests: list[DeliveryAttempt]


class DeliveryList(BaseModel):
    """One page of deliveries, the newest first."""

    deliveries: list[DeliveryView]
    next_cursor: str | None


def webhook_view(row: WebhookEndpoint) -> WebhookView:
    """A webhook as it is listed."""
    return WebhookView.model_validate(row, from_attributes=True)


def webhook_made(row: WebhookEndpoint, secret: str) -> WebhookMade:
    """A webhook with a secret that is new."""
    return WebhookMade(**webhook_view(row).model_dump(), secret=secret)


def delivery_view(row: WebhookDelivery) -> DeliveryView:
    """A delivery as it is listed."""
    return DeliveryView(**_shown(row))


def delivery_detail(row: WebhookDelivery, attempts: list[WebhookAttempt], public_url: str) -> DeliveryDetail:
    """A delivery with all that is known of it."""
    said = json.loads(body(row.event, row.created_at, row.data, public_url))
    requests = [DeliveryAttempt(**attempt.model_dump(), duration_seconds=attempt.duration_s) for attempt in attempts]
    return DeliveryDetail(**_shown(row), body=said, requests=requests)


def _shown(row: WebhookDelivery) -> dict[str, Any]:
    waits = row.status is DeliveryStatus.PENDING
    return {
        **row.model_dump(),
        "message_id": message_id(row.id),
        "webhook_id": row.endpoint_id,
        "next_attempt_at": row.next_at if waits else None,
    }
