"""Endpoints are disabled and enabled, and what they missed is sent again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.hooks.secrets import new_secret
from mill_common.models import WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus, DisabledReason, WebhookEvent

RECOVERED_MAX = 10_000  # deliveries at a time


def disable(session: Session, endpoint_id: UUID, reason: DisabledReason) -> bool:
    """Send nothing more to an endpoint, and give up what waits for it. Returns whether it was enabled.

    One that failed for days gets a last notice.
    """
    disabled = session.execute(
        update(WebhookEndpoint)
        .where(col(WebhookEndpoint.id) == endpoint_id, col(WebhookEndpoint.enabled))
        .values(enabled=False, disabled_at=db_now(), disabled_reason=reason, updated_at=db_now())
        .returning(col(WebhookEndpoint.id))
    ).first()
    if disabled is None:
        return False
    give_up_waiting(session, endpoint_id)
    if reason is DisabledReason.FAILING:
        notice = {"endpoint_id": str(endpoint_id), "reason": reason.value}
        session.add(WebhookDelivery(endpoint_id=endpoint_id, event=WebhookEvent.DISABLED, data=notice))
    return True


def give_up_waiting(session: Session, endpoint_id: UUID) -> None:
    """Give up what waits for a disabled endpoint, but for its last notice."""
    waiting = update(WebhookDelivery).where(
        col(WebhookDelivery.endpoint_id) == endpoint_id,
        col(WebhookDelivery.status) == DeliveryStatus.PENDING,
        col(WebhookDelivery.event) != WebhookEvent.DISABLED,
    )
    said = "The endpoint is disabled."
    session.execute(waiting.values(status=DeliveryStatus.FAILED, ended_at=db_now(), last_error=said))


def enable(session: Session, endpoint_id: UUID) -> None:
    """Send to an endpoint again, from now on. What it missed is sent if somebody asks for it."""
    fresh = {"disabled_at": None, "disabled_reason": None, "failing_since": None, "not_before": None}
    this = (col(WebhookEndpoint.id) == endpoint_id) & ~col(WebhookEndpoint.enabled)
    session.execute(update(WebhookEndpoint).where(this).values(enabled=True, updated_at=db_now(), **fresh))


def lately_disabled(session: Session, since: datetime, *, limit: int) -> list[WebhookEndpoint]:
    """Endpoints that were disabled after `since` because they failed or are gone, the latest first."""
    # Whatever disables an endpoint ends a delivery, and those have an index to go by.
    ended = col(WebhookDelivery.ended_at) >= since
    given_up = select(col(WebhookDelivery.endpoint_id)).where(
        ended, col(WebhookDelivery.status) == DeliveryStatus.FAILED
    )
    found = select(WebhookEndpoint).where(
        col(WebhookEndpoint.id).in_(given_up),
        ~col(WebhookEndpoint.enabled),
        col(WebhookEndpoint.disabled_at) >= since,
        col(WebhookEndpoint.disabled_reason).in_((DisabledReason.FAILING, DisabledReason.GONE)),
    )
    return list(session.scalars(found.order_by(col(WebhookEndpoint.disabled_at).desc()).limit(limit)).all())


def rotate_secret(session: Session, endpoint_id: UUID, *, grace_s: float) -> str:
    """Give an endpoint a new secret. The one before signs as well for `grace_s` seconds. Returns the new one."""
    secret = new_secret()
    this = update(WebhookEndpoint).where(col(WebhookEndpoint.id) == endpoint_id)
    previous = {"previous_secret": WebhookEndpoint.secret, "previous_until": db_now(grace_s)}
    session.execute(this.values(secret=secret, updated_at=db_now(), **previous))
    return secret


def test_delivery(session: Session, endpoint_id: UUID) -> WebhookDelivery:
    """Write an event that says nothing but that events arrive."""
    delivery = WebhookDelivery(endpoint_id=endpoint_id, event=WebhookEvent.TEST, data={"endpoint_id": str(endpoint_id)})
    session.add(delivery)
    session.flush()
    return delivery


def redeliver(session: Session, delivery_id: UUID) -> bool:
    """Send a delivery at once, under its id and with a fresh budget of attempts. False if it is being sent just now."""
    this = (col(WebhookDelivery.id) == delivery_id) & (col(WebhookDelivery.status) != DeliveryStatus.SENDING)
    again = update(WebhookDelivery).where(this).values(**_AGAIN, next_at=db_now())
    return session.execute(again.returning(col(WebhookDelivery.id))).first() is not None


def recover(session: Session, endpoint_id: UUID, since: datetime) -> int:
    """Send again what an endpoint has missed since then. Returns how many: `RECOVERED_MAX` at most, the oldest."""
    missed = (
        select(col(WebhookDelivery.id))
        .where(
            col(WebhookDelivery.endpoint_id) == endpoint_id,
            col(WebhookDelivery.created_at) >= since,
            col(WebhookDelivery.status) == DeliveryStatus.FAILED,
        )
        .order_by(col(WebhookDelivery.created_at), col(WebhookDelivery.id))
        .limit(RECOVERED_MAX)
    )
    again = update(WebhookDelivery).where(
        col(WebhookDelivery.id).in_(missed.scalar_subquery()), col(WebhookDelivery.status) == DeliveryStatus.FAILED
    )
    rows = session.execute(again.values(**_AGAIN, next_at=db_now()).returning(col(WebhookDelivery.id)))
    return len(rows.all())


_AGAIN = {"status": DeliveryStatus.PENDING, "attempts": 0, "ended_at": None}
