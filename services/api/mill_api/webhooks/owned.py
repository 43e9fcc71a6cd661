"""An owner's webhooks and deliveries, and nobody else's."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session, col, func, select

from mill_common.errors import PermanentError
from mill_common.models import WebhookDelivery, WebhookEndpoint
from mill_common.quotas import lock_owner

WEBHOOKS_MAX = 20  # of an owner, those of single jobs apart


class WebhookNotFound(PermanentError):
    """There is no such webhook."""

    code = "webhook_not_found"
    status = 404


class DeliveryNotFound(PermanentError):
    """There is no such delivery."""

    code = "delivery_not_found"
    status = 404


class TooManyWebhooks(PermanentError):
    """The owner has as many webhooks as one may have."""

    code = "too_many_webhooks"
    status = 409


class WebhookDisabled(PermanentError):
    """The webhook is disabled; enable it first."""

    code = "webhook_disabled"
    status = 409


class DeliveryUnderWay(PermanentError):
    """The delivery is being sent at this moment."""

    code = "delivery_under_way"
    status = 409


def owned_webhook(session: Session, webhook_id: UUID, owner_id: str) -> WebhookEndpoint:
    """The owner's webhook of that id.

    Raises:
        WebhookNotFound: There is none, or it is another owner's.
    """
    found = session.exec(
        select(WebhookEndpoint).where(col(WebhookEndpoint.id) == webhook_id, col(WebhookEndpoint.owner_id) == owner_id)
    ).first()
    if found is None:
        raise WebhookNotFound
    return found


def enabled_webhook(session: Session, webhook_id: UUID, owner_id: str) -> WebhookEndpoint:
    """The owner's webhook, to which something is to be sent.

    Raises:
        WebhookNotFound: There is none, or it is another owner's.
        WebhookDisabled: Nothing is sent to it.
    """
    found = owned_webhook(session, webhook_id, owner_id)
    if not found.enabled:
        raise WebhookDisabled
    return found


def delivery_of(session: Session, webhook_id: UUID, delivery_id: UUID) -> WebhookDelivery:
    """A webhook's delivery of that id.

    Raises:
        DeliveryNotFound: There is none, or it is another webhook's.
    """
    found = session.get(WebhookDelivery, delivery_id)
    if found is None or found.endpoint_id != webhook_id:
        raise DeliveryNotFound
    return found


def check_room(session: Session, owner_id: str) -> None:
    """Make sure that the owner may have one more webhook; nobody else of the owner's can take its place meanwhile.

    Raises:
        TooManyWebhooks: There are too many already.
    """
    lock_owner(session, owner_id)
    own = (col(WebhookEndpoint.owner_id) == owner_id, col(WebhookEndpoint.job_id).is_(None))
    if session.exec(select(func.count()).select_from(WebhookEndpoint).where(*own)).one() >= WEBHOOKS_MAX:
        raise TooManyWebhooks(f"An owner may have {WEBHOOKS_MAX} webhooks.")
