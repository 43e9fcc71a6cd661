"""What came of a request: the delivery is done, tried again later, or given up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.errors import LeaseLost
from mill_common.hooks.claims import DeliveryClaim, held
from mill_common.hooks.endpoints import disable, give_up_waiting
from mill_common.hooks.schedule import FORGIVEN_S, SAID_ONCE, delay_s
from mill_common.models import WebhookAttempt, WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus, DisabledReason

ERROR_LENGTH = 500
GONE = 410


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One request and what came back. Heads are bounded and hold no secret."""

    duration_s: float
    status: int | None = None  # of the answer, if one came
    error: str | None = None  # why none came
    request_head: str = ""
    response_head: str = ""
    retry_after_s: float | None = None

    @property
    def is_success(self) -> bool:
        """Whether the receiver took it: 2xx and nothing else."""
        return self.status is not None and 200 <= self.status < 300


def record(session: Session, claim: DeliveryClaim, answer: Answer) -> bool:
    """Write down what came of a claim. Returns whether that disabled its endpoint.

    Raises:
        LeaseLost: Another watchdog has the delivery by now; nothing was written.
    """
    if answer.is_success:
        _end(session, claim, answer, DeliveryStatus.DELIVERED)
        _note_success(session, claim)
        return False
    attempts = claim.attempts + 1
    wait_s = None if claim.event in SAID_ONCE or answer.status == GONE else delay_s(attempts)
    if wait_s is None:
        _end(session, claim, answer, DeliveryStatus.FAILED)
    else:
        later = db_now(max(wait_s, answer.retry_after_s or 0.0))
        _write(session, claim, answer, status=DeliveryStatus.PENDING, next_at=later)
    return _note_failure(session, claim, answer)


def hand_back(session: Session, claim: DeliveryClaim) -> None:
    """Let another watchdog send it at once. Raises `LeaseLost`."""
    _release(session, claim, status=DeliveryStatus.PENDING, next_at=db_now())


def drop(session: Session, claim: DeliveryClaim) -> None:
    """Give up a delivery whose endpoint was disabled meanwhile. Raises `LeaseLost`."""
    _release(session, claim, status=DeliveryStatus.FAILED, ended_at=db_now(), last_error="The endpoint is disabled.")


def _end(session: Session, claim: DeliveryClaim, answer: Answer, status: DeliveryStatus) -> None:
    _write(session, claim, answer, status=status, ended_at=db_now())


def _write(session: Session, claim: DeliveryClaim, answer: Answer, **values: Any) -> None:
    error = answer.error and answer.error[:ERROR_LENGTH]
    _release(session, claim, attempts=claim.attempts + 1, last_status=answer.status, last_error=error, **values)
    session.add(
        WebhookAttempt(
            delivery_id=claim.id,
            epoch=claim.epoch,
            duration_s=round(answer.duration_s, 3),
            request_head=answer.request_head,
            response_status=answer.status,
            response_head=answer.response_head,
            error=error,
        )
    )


def _release(session: Session, claim: DeliveryClaim, **values: Any) -> None:
    written = update(WebhookDelivery).where(held(claim)).values(lease_until=None, worker=None, **values)
    if session.execute(written.returning(col(WebhookDelivery.id))).first() is None:
        raise LeaseLost


def _note_success(session: Session, claim: DeliveryClaim) -> None:
    recovered = (col(WebhookEndpoint.id) == claim.endpoint_id) & col(WebhookEndpoint.failing_since).is_not(None)
    session.execute(update(WebhookEndpoint).where(recovered).values(failing_since=None, failed_at=None))


def _note_failure(session: Session, claim: DeliveryClaim, answer: Answer) -> bool:
    lately = col(WebhookEndpoint.failed_at) > db_now(-FORGIVEN_S)
    since = case((lately, func.coalesce(WebhookEndpoint.failing_since, db_now())), else_=db_now())
    values: dict[str, Any] = {"failing_since": since, "failed_at": db_now()}
    if answer.retry_after_s:
        values["not_before"] = db_now(answer.retry_after_s)
    this = col(WebhookEndpoint.id) == claim.endpoint_id
    noted = update(WebhookEndpoint).where(this).values(**values)
    enabled = session.scalar(noted.returning(col(WebhookEndpoint.enabled)))
    if not enabled:  # it was disabled while this was under way
        give_up_waiting(session, claim.endpoint_id)
        return False
    return answer.status == GONE and disable(session, claim.endpoint_id, DisabledReason.GONE)
