"""Deliveries are kept for a while and then forgotten."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, select
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import Job, WebhookDelivery, WebhookEndpoint

AT_ONCE = 1000


def forget_deliveries(session: Session, *, keep_days: int) -> int:
    """Remove some deliveries that ended more than `keep_days` days ago. Returns how many, `AT_ONCE` at most."""
    ended = col(WebhookDelivery.ended_at)
    old = select(col(WebhookDelivery.id)).where(ended < db_now(-86400.0 * keep_days)).order_by(ended).limit(AT_ONCE)
    removed = delete(WebhookDelivery).where(col(WebhookDelivery.id).in_(old.scalar_subquery()))
    return len(session.execute(removed.returning(col(WebhookDelivery.id))).all())


def forget_endpoints(session: Session) -> int:
    """Remove some URLs of jobs that are gone, once nothing is kept for them. Returns how many, `AT_ONCE` at most."""
    orphans = select(col(WebhookEndpoint.id)).where(_is_orphan()).limit(AT_ONCE)
    removed = delete(WebhookEndpoint).where(col(WebhookEndpoint.id).in_(orphans.scalar_subquery()))
    return len(session.execute(removed.returning(col(WebhookEndpoint.id))).all())


def _is_orphan() -> ColumnElement[bool]:
    job = select(col(Job.id)).where(col(Job.id) == col(WebhookEndpoint.job_id)).exists()
    kept = select(col(WebhookDelivery.id)).where(col(WebhookDelivery.endpoint_id) == col(WebhookEndpoint.id)).exists()
    return col(WebhookEndpoint.job_id).is_not(None) & ~job & ~kept
