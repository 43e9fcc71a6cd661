"""Watchdogs take deliveries, endpoint by endpoint, and lose them again if they fall silent.

A delivery belongs to one watchdog at a time, as a task belongs to one worker: a lease in the database's time, and an
epoch that fences every later write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CTE, ColumnElement, SQLColumnExpression, bindparam, func, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus, WebhookEvent

LOST = "The watchdog that sent it was not heard of again; whether it arrived is not known."


@dataclass(frozen=True, kw_only=True)
class DeliveryClaim:
    """One watchdog's right to send one delivery."""

    id: UUID
    epoch: int
    endpoint_id: UUID
    job_id: UUID | None
    event: WebhookEvent
    at: datetime
    data: Mapping[str, Any]
    attempts: int  # that were made before
    url: str
    secrets: Sequence[str]  # the newest first
    wanted: bool  # whether the endpoint is still to be told


@dataclass(frozen=True, kw_only=True)
class DueEndpoint:
    """An endpoint for which something is due."""

    id: UUID
    lane: UUID | str  # endpoints of one lane are one receiver: an owner's URLs for single jobs at one host
    is_failing: bool


def due_endpoints(session: Session) -> list[DueEndpoint]:
    """The endpoints for which something is due. Costs a look at an index for each that has something waiting."""
    every = _waiting()
    is_due = select(col(WebhookDelivery.id)).where(
        _of(every.c.endpoint_id), _pending(), col(WebhookDelivery.next_at) <= db_now()
    )
    columns = (WebhookEndpoint.id, WebhookEndpoint.owner_id, WebhookEndpoint.job_id, WebhookEndpoint.url)
    found = (
        select(*map(col, columns), col(WebhookEndpoint.failing_since))
        .join(every, every.c.endpoint_id == col(WebhookEndpoint.id))
        .where(is_due.exists(), ~_is_left_alone())
    )
    return [
        DueEndpoint(id=id_, lane=id_ if job_id is None else f"{owner_id} {_host(url)}", is_failing=since is not None)
        for id_, owner_id, job_id, url, since in session.execute(found)
    ]


def is_owed() -> ColumnElement[bool]:
    """Whether something waits for an endpoint or is on its way. A condition for a statement that reads its row."""
    waiting = select(col(WebhookDelivery.id)).where(_of(col(WebhookEndpoint.id)), _pending())
    sending = select(col(WebhookDelivery.endpoint_id)).where(_sending())
    return waiting.correlate(WebhookEndpoint).exists() | col(WebhookEndpoint.id).in_(sending)


def claim_deliveries(
    session: Session, wanted: Mapping[UUID, int], *, worker: str, lease_s: float
) -> list[DeliveryClaim]:
    """Take up to so many of each endpoint's due deliveries, the longest due first."""
    taken = [
        row for endpoint_id, count in wanted.items() for row in _take(session, endpoint_id, count, worker, lease_s)
    ]
    if not taken:
        return []
    ids = {row.endpoint_id for row in taken}
    rotating = col(WebhookEndpoint.previous_until) > db_now()
    found = session.execute(select(WebhookEndpoint, rotating).where(col(WebhookEndpoint.id).in_(ids))).all()
    endpoints = {endpoint.id: (endpoint, bool(two)) for endpoint, two in found}
    return [_claim_of(row, *endpoints[row.endpoint_id]) for row in taken]


def lapse(session: Session, *, limit: int = 500) -> int:
    """Let go of what a watchdog that has fallen silent held: it is sent again, under its id. Returns how many."""
    dead = (
        select(col(WebhookDelivery.id))
        .where(_sending(), col(WebhookDelivery.lease_until) < db_now())
        .order_by(col(WebhookDelivery.lease_until))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("dead")
    )
    rows = session.execute(
        update(WebhookDelivery)
        .where(col(WebhookDelivery.id).in_(select(dead.c.id)), _sending())
        .values(status=DeliveryStatus.PENDING, next_at=db_now(), lease_until=None, worker=None)
        .returning(col(WebhookDelivery.id), col(WebhookDelivery.epoch))
    ).all()
    session.add_all(WebhookAttempt(delivery_id=row.id, epoch=row.epoch, duration_s=0.0, error=LOST) for row in rows)
    return len(rows)


def held(claim: DeliveryClaim) -> ColumnElement[bool]:
    """The fence: true only while `claim` is the one that holds its delivery."""
    this = (col(WebhookDelivery.id) == claim.id) & (col(WebhookDelivery.epoch) == claim.epoch)
    return this & (col(WebhookDelivery.status) == DeliveryStatus.SENDING)


def _take(session: Session, endpoint_id: UUID, count: int, worker: str, lease_s: float) -> Sequence[WebhookDelivery]:
    asked = select(col(WebhookEndpoint.id)).where(col(WebhookEndpoint.id) == endpoint_id, _is_left_alone())
    # In a WITH: PostgreSQL may do a subquery several times over, and then its LIMIT is none.
    due = (
        select(col(WebhookDelivery.id))
        .where(_of(endpoint_id), _pending(), col(WebhookDelivery.next_at) <= db_now(), ~asked.exists())
        .order_by(col(WebhookDelivery.next_at), col(WebhookDelivery.id))
        .limit(count)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = (
        update(WebhookDelivery)
        .where(col(WebhookDelivery.id).in_(select(due.c.id)), _pending())
        .values(
            status=DeliveryStatus.SENDING,
            epoch=WebhookDelivery.epoch + 1,
            worker=worker,
            lease_until=db_now(lease_s),
        )
        .returning(WebhookDelivery)
    )
    return sorted(session.scalars(taken).all(), key=lambda row: (row.next_at, row.id))


def _claim_of(row: WebhookDelivery, endpoint: WebhookEndpoint, rotating: bool) -> DeliveryClaim:
    previous = [endpoint.previous_secret] if rotating and endpoint.previous_secret else []
    return DeliveryClaim(
        id=row.id,
        epoch=row.epoch,
        endpoint_id=endpoint.id,
        job_id=row.job_id,
        event=row.event,
        at=row.created_at,
        data=row.data,
        attempts=row.attempts,
        url=endpoint.url,
        secrets=[endpoint.secret, *previous],
        wanted=endpoint.enabled or row.event is WebhookEvent.DISABLED,
    )


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0].lower()


def _waiting() -> CTE:
    """The endpoints that have something waiting, and a null after the last."""
    one = select(_following(None).label("endpoint_id")).cte("one", recursive=True)
    return one.union_all(select(_following(one.c.endpoint_id)).where(one.c.endpoint_id.is_not(None)))


def _following(endpoint_id: Any) -> Any:
    """The first endpoint after that one that has something waiting."""
    waiting = select(col(WebhookDelivery.endpoint_id)).where(_pending())
    if endpoint_id is not None:
        waiting = waiting.where(col(WebhookDelivery.endpoint_id) > endpoint_id)
    return waiting.order_by(col(WebhookDelivery.endpoint_id)).limit(1).scalar_subquery()


def _of(endpoint_id: UUID | SQLColumnExpression[UUID]) -> ColumnElement[bool]:
    return col(WebhookDelivery.endpoint_id) == endpoint_id


def _is_left_alone() -> ColumnElement[bool]:
    """Whether an endpoint has asked for it; false, not unknown, where it never has."""
    return func.coalesce(col(WebhookEndpoint.not_before) > db_now(), False)


def _pending() -> ColumnElement[bool]:
    # Said by the statement itself: SQLite takes a partial index only then.
    return col(WebhookDelivery.status) == bindparam("pending", DeliveryStatus.PENDING, literal_execute=True)


def _sending() -> ColumnElement[bool]:
    return col(WebhookDelivery.status) == bindparam("sending", DeliveryStatus.SENDING, literal_execute=True)
