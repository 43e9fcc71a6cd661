"""Endpoints are disabled and enabled, and what they missed is sent again."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.hooks.claims import is_owed
from mill_common.hooks.schedule import FAILED_AGAIN_S, FAILING_S, FORGIVEN_S, SAID_ONCE
from mill_common.hooks.secrets import new_secret
from mill_common.intervals import seconds_between
from mill_common.models import WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus, DisabledReason, WebhookEvent

RECOVERED_MAX = 10_000  # deliveries at a time
DISABLED_MAX = 100  # endpoints at a time
_FAILING = DisabledReason.FAILING


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
    if reason is _FAILING:
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
    fresh = {"disabled_at": None, "disabled_reason": None, "failing_since": None, "failed_at": None, "not_before": None}
    this = (col(WebhookEndpoint.id) == endpoint_id) & ~col(WebhookEndpoint.enabled)
    session.execute(update(WebhookEndpoint).where(this).values(enabled=True, updated_at=db_now(), **fresh))


def disable_failing(session: Session) -> list[UUID]:
    """Disable endpoints that have failed for five days, whether or not anything waits for them. Returns which.

    `DISABLED_MAX` at a time. A failure of that long ago that no other followed is forgotten.
    """
    long_ago = col(WebhookEndpoint.enabled) & (col(WebhookEndpoint.failing_since) < db_now(-FAILING_S))
    # While no watchdog was there to send, nobody failed.
    tried = or_(col(WebhookEndpoint.failed_at) > db_now(-FORGIVEN_S), ~is_owed())
    found = (
        select(col(WebhookEndpoint.id))
        .where(long_ago, _failed_for(FAILED_AGAIN_S), tried)
        .order_by(col(WebhookEndpoint.failing_since))
        .limit(DISABLED_MAX)
        .with_for_update(skip_locked=True)
    )
    disabled = [endpoint_id for endpoint_id in session.scalars(found).all() if disable(session, endpoint_id, _FAILING)]
    passed = update(WebhookEndpoint).where(long_ago, ~_failed_for(FAILED_AGAIN_S))
    session.execute(passed.values(failing_since=None, failed_at=None))
    return disabled


def failing_endpoints(session: Session, *, for_s: float, limit: int) -> list[WebhookEndpoint]:
    """Enabled endpoints that have failed for `for_s` seconds, the longest failing first.

    One that failed once counts while something waits for it, because that is tried again.
    """
    since = col(WebhookEndpoint.enabled) & (col(WebhookEndpoint.failing_since) < db_now(-for_s))
    found = select(WebhookEndpoint).where(since, or_(_failed_for(for_s), is_owed()))
    return list(session.scalars(found.order_by(col(WebhookEndpoint.failing_since)).limit(limit)).all())


def lately_disabled(session: Session, since: datetime, *, limit: int) -> list[WebhookEndpoint]:
    """Endpoints that were disabled after `since` because they failed or are gone, the latest first."""
    found = select(WebhookEndpoint).where(
        ~col(WebhookEndpoint.enabled),
        col(WebhookEndpoint.disabled_at) >= since,
        col(WebhookEndpoint.disabled_reason).in_((_FAILING, DisabledReason.GONE)),
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
    """Send again what an endpoint has missed since then. Returns how many: `RECOVERED_MAX` at most, the oldest.

    Not reports of progress: they are worth nothing afterwards.
    """
    missed = (
        select(col(WebhookDelivery.id))
        .where(
            col(WebhookDelivery.endpoint_id) == endpoint_id,
            col(WebhookDelivery.created_at) >= since,
            col(WebhookDelivery.status) == DeliveryStatus.FAILED,
            col(WebhookDelivery.event).not_in(SAID_ONCE),
        )
        .order_by(col(WebhookDelivery.created_at), col(WebhookDelivery.id))
        .limit(RECOVERED_MAX)
    )
    again = update(WebhookDelivery).where(
        col(WebhookDelivery.id).in_(missed.scalar_subquery()), col(WebhookDelivery.status) == DeliveryStatus.FAILED
    )
    rows = session.execute(again.values(**_AGAIN, next_at=db_now()).returning(col(WebhookDelivery.id)))
    return len(rows.all())


def _failed_for(seconds: float) -> ColumnElement[bool]:
    """Whether so long lies between an endpoint's first failure and its last."""
    first, last = col(WebhookEndpoint.failing_since), col(WebhookEndpoint.failed_at)
    return func.coalesce(seconds_between(first, last), 0.0) >= seconds


_AGAIN = {"status": DeliveryStatus.PENDING, "attempts": 0, "ended_at": None}
