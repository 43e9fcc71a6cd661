"""Webhooks are made, looked at, changed, tried and removed."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import delete, update
from sqlmodel import Session, col, select
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_api.webhooks.owned import (
    TooManyWebhooks,
    WebhookDisabled,
    WebhookNotFound,
    check_room,
    enabled_webhook,
    owned_webhook,
)
from mill_api.webhooks.request import WebhookChange, WebhookRequest, check_url, new_endpoint
from mill_api.webhooks.view import (
    DeliveryView,
    WebhookList,
    WebhookMade,
    WebhookView,
    delivery_view,
    webhook_made,
    webhook_view,
)
from mill_common.clock import db_now
from mill_common.hooks.endpoints import disable, enable, rotate_secret, test_delivery
from mill_common.models import WebhookEndpoint
from mill_common.models.webhooks import DisabledReason
from mill_common.outgoing import AddressRefused


class WebhooksQuery(BaseModel):
    """Which webhooks."""

    model_config = ConfigDict(extra="forbid")

    job_id: UUID | None = Field(default=None, description="The job's own instead of the owner's.")


class SecretRotation(BaseModel):
    """How a secret gives way to the next."""

    model_config = ConfigDict(extra="forbid")

    grace_seconds: int = Field(default=86_400, ge=0, le=7 * 86_400, description="How long both sign.")


@operation(
    tag="webhooks", status=201, body=WebhookRequest, returns=WebhookMade, raises=[AddressRefused, TooManyWebhooks]
)
def create_webhook(request: Request, body: WebhookRequest) -> WebhookMade:
    """Have a URL told of every job. Its secret is in this answer and never shown again."""
    who, wired = caller(request), resources(request)
    check_url(wired.settings, body.url)
    with wired.database.write() as session:
        check_room(session, who.owner_id)
        row = new_endpoint(who, body)
        session.add(row)
        session.flush()
        if not body.enabled:
            row.disabled_reason, row.disabled_at = DisabledReason.ASKED, row.created_at
        return webhook_made(row, row.secret)


@operation(tag="webhooks", query=WebhooksQuery, returns=WebhookList)
def list_webhooks(request: Request, query: WebhooksQuery) -> WebhookList:
    """List webhooks, the newest first."""
    own = select(WebhookEndpoint).where(col(WebhookEndpoint.owner_id) == caller(request).owner_id)
    of_job = col(WebhookEndpoint.job_id)
    own = own.where(of_job.is_(None) if query.job_id is None else of_job == query.job_id)
    with resources(request).database.read() as session:
        rows = session.exec(own.order_by(col(WebhookEndpoint.id).desc())).all()
    return WebhookList(webhooks=[webhook_view(row) for row in rows])


@operation(tag="webhooks", returns=WebhookView, raises=[WebhookNotFound])
def get_webhook(request: Request, webhook_id: UUID) -> WebhookView:
    """Look at a webhook."""
    with resources(request).database.read() as session:
        return webhook_view(owned_webhook(session, webhook_id, caller(request).owner_id))


@operation(tag="webhooks", body=WebhookChange, returns=WebhookView, raises=[WebhookNotFound, AddressRefused])
def change_webhook(request: Request, webhook_id: UUID, body: WebhookChange) -> WebhookView:
    """Change a webhook, or enable or disable it. What waits for one that is disabled is given up."""
    wired, owner_id = resources(request), caller(request).owner_id
    if body.url is not None:
        check_url(wired.settings, body.url)

    def work(session: Session) -> WebhookView:
        owned_webhook(session, webhook_id, owner_id)
        _change(session, webhook_id, body)
        session.expire_all()
        return webhook_view(owned_webhook(session, webhook_id, owner_id))

    return wired.database.run(work)


@operation(tag="webhooks", status=204, raises=[WebhookNotFound])
def delete_webhook(request: Request, webhook_id: UUID) -> None:
    """Remove a webhook and all that is known of what was sent to it."""
    with resources(request).database.write() as session:
        owned_webhook(session, webhook_id, caller(request).owner_id)
        session.execute(delete(WebhookEndpoint).where(col(WebhookEndpoint.id) == webhook_id))


@operation(tag="webhooks", body=SecretRotation, body_required=False, returns=WebhookMade, raises=[WebhookNotFound])
def rotate_webhook_secret(request: Request, webhook_id: UUID, body: SecretRotation) -> WebhookMade:
    """Give a webhook a new secret. For a while the one before signs as well."""
    with resources(request).database.write() as session:
        owned_webhook(session, webhook_id, caller(request).owner_id)
        secret = rotate_secret(session, webhook_id, grace_s=body.grace_seconds)
        session.expire_all()
        return webhook_made(owned_webhook(session, webhook_id, caller(request).owner_id), secret)


@operation(tag="webhooks", status=202, returns=DeliveryView, raises=[WebhookNotFound, WebhookDisabled])
def send_test_event(request: Request, webhook_id: UUID) -> DeliveryView:
    """Send an event of the type `webhook.test`."""
    with resources(request).database.write() as session:
        enabled_webhook(session, webhook_id, caller(request).owner_id)
        return delivery_view(test_delivery(session, webhook_id))


def _change(session: Session, webhook_id: UUID, body: WebhookChange) -> None:
    values = body.model_dump(exclude={"enabled"}, exclude_none=True)
    if body.events is not None:
        values["events"] = sorted({event.value for event in body.events})
    if values:
        changed = update(WebhookEndpoint).where(col(WebhookEndpoint.id) == webhook_id)
        session.execute(changed.values(**values, updated_at=db_now()))
    if body.enabled is True:
        enable(session, webhook_id)
    if body.enabled is False:
        disable(session, webhook_id, DisabledReason.ASKED)
