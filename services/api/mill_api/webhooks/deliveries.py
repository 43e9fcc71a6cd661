"""What was sent, what was answered, and once more, please."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, and_, or_
from sqlmodel import Session, col, select
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.fields import Time, TimeInQuery
from mill_api.openapi import operation
from mill_api.owners import owned_job
from mill_api.problems import Fault, RequestInvalid
from mill_api.resources import resources
from mill_api.webhooks.owned import (
    DeliveryNotFound,
    DeliveryUnderWay,
    WebhookDisabled,
    WebhookNotFound,
    delivery_of,
    enabled_webhook,
    owned_webhook,
)
from mill_api.webhooks.view import DeliveryDetail, DeliveryList, DeliveryView, delivery_detail, delivery_view
from mill_common.hooks.endpoints import recover, redeliver
from mill_common.models import WebhookAttempt, WebhookDelivery
from mill_common.models.webhooks import DeliveryStatus, WebhookEvent
from mill_common.queue import JobNotFound


class DeliveriesQuery(BaseModel):
    """Which deliveries."""

    model_config = ConfigDict(extra="forbid")

    status: DeliveryStatus | None = None
    event: WebhookEvent | None = None
    from_date: TimeInQuery | None = Field(default=None, description="Happened then or later.")
    to_date: TimeInQuery | None = Field(default=None, description="Happened then or earlier.")
    per_page: int = Field(default=100, ge=1, le=500)
    cursor: Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9_-]+$")] | None = Field(
        default=None, description="`next_cursor` of the page before."
    )


class Recovery(BaseModel):
    """From when on."""

    model_config = ConfigDict(extra="forbid")

    since: Time


class Recovered(BaseModel):
    """How many deliveries are sent again."""

    count: int = Field(description="At most 10,000; ask again for more.")


@operation(tag="webhooks", query=DeliveriesQuery, returns=DeliveryList, raises=[WebhookNotFound])
def list_deliveries(request: Request, webhook_id: UUID, query: DeliveriesQuery) -> DeliveryList:
    """List what was sent to a webhook or waits to be, the newest first. Kept for 30 days."""
    with resources(request).database.read() as session:
        owned_webhook(session, webhook_id, caller(request).owner_id)
        return _page(session, col(WebhookDelivery.endpoint_id) == webhook_id, query)


@operation(tag="webhooks", query=DeliveriesQuery, returns=DeliveryList, raises=[JobNotFound])
def list_job_deliveries(request: Request, job_id: UUID, query: DeliveriesQuery) -> DeliveryList:
    """List what was sent about a job, to whichever webhook."""
    with resources(request).database.read() as session:
        owned_job(session, job_id, caller(request).owner_id)
        return _page(session, col(WebhookDelivery.job_id) == job_id, query)


@operation(tag="webhooks", returns=DeliveryDetail, raises=[WebhookNotFound, DeliveryNotFound])
def get_delivery(request: Request, webhook_id: UUID, delivery_id: UUID) -> DeliveryDetail:
    """Look at a delivery: what it says, and every request with its answer."""
    wired = resources(request)
    with wired.database.read() as session:
        owned_webhook(session, webhook_id, caller(request).owner_id)
        row = delivery_of(session, webhook_id, delivery_id)
        made = select(WebhookAttempt).where(col(WebhookAttempt.delivery_id) == delivery_id)
        attempts = list(session.exec(made.order_by(col(WebhookAttempt.epoch))).all())
    return delivery_detail(row, attempts, wired.settings.public_url)


@operation(
    tag="webhooks",
    status=202,
    returns=DeliveryView,
    raises=[WebhookNotFound, DeliveryNotFound, WebhookDisabled, DeliveryUnderWay],
)
def redeliver_now(request: Request, webhook_id: UUID, delivery_id: UUID) -> DeliveryView:
    """Send a delivery at once, under the same id and with ten attempts anew.

    One that still waits for its next attempt is not kept waiting either; one that is being sent just now is refused.
    """

    def work(session: Session) -> DeliveryView:
        enabled_webhook(session, webhook_id, caller(request).owner_id)
        row = delivery_of(session, webhook_id, delivery_id)
        if not redeliver(session, delivery_id):
            raise DeliveryUnderWay
        session.refresh(row)
        return delivery_view(row)

    return resources(request).database.run(work)


@operation(tag="webhooks", status=202, body=Recovery, returns=Recovered, raises=[WebhookNotFound, WebhookDisabled])
def recover_deliveries(request: Request, webhook_id: UUID, body: Recovery) -> Recovered:
    """Send again everything since a time that failed, each under its own id."""

    def work(session: Session) -> int:
        enabled_webhook(session, webhook_id, caller(request).owner_id)
        return recover(session, webhook_id, body.since)

    return Recovered(count=resources(request).database.run(work))


def _page(session: Session, which: ColumnElement[bool], query: DeliveriesQuery) -> DeliveryList:
    order = (col(WebhookDelivery.created_at).desc(), col(WebhookDelivery.id).desc())
    found = select(WebhookDelivery).where(which, *_filters(query)).order_by(*order).limit(query.per_page + 1)
    rows = list(session.exec(found).all())
    shown = rows[: query.per_page]
    more = len(rows) > query.per_page
    return DeliveryList(
        deliveries=[delivery_view(row) for row in shown], next_cursor=_cursor(shown[-1]) if more else None
    )


def _filters(query: DeliveriesQuery) -> list[ColumnElement[bool]]:
    at = col(WebhookDelivery.created_at)
    asked: list[tuple[Any, Any]] = [
        (query.status, lambda value: col(WebhookDelivery.status) == value),
        (query.event, lambda value: col(WebhookDelivery.event) == value),
        (query.from_date, lambda value: at >= value),
        (query.to_date, lambda value: at <= value),
        (query.cursor, _behind),
    ]
    return [condition(value) for value, condition in asked if value is not None]


def _cursor(last: WebhookDelivery) -> str:
    plain = f"{last.created_at.isoformat()} {last.id}"
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _behind(cursor: str) -> ColumnElement[bool]:
    at, row_id = col(WebhookDelivery.created_at), col(WebhookDelivery.id)
    try:
        text, last_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(" ")
        last, known = datetime.fromisoformat(text).astimezone(UTC), UUID(last_id)
    except (ValueError, OverflowError):
        fault = Fault(loc=["query", "cursor"], message="is not a cursor of this list")
        raise RequestInvalid("query: is not a cursor of this list", [fault]) from None
    return or_(at < last, and_(at == last, row_id < known))
