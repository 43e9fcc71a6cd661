"""Reports of progress: seldom, and never more than one waiting.

A job's progress rises many times a second over all its tasks. What waits to be sent is overwritten, so a slow receiver
gets the latest and not the history; and a report that fails is not repeated, because the next one says more.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.hooks.events import listeners, wanting
from mill_common.hooks.payload import job_data, percent
from mill_common.models import Job, WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus, WebhookEvent

EVERY_S = 10.0  # between two reports of one job to one endpoint
STEP = 1.0  # percent that a report tells at least


def note_progress(session: Session, job_id: UUID) -> None:
    """Tell that a job's progress has risen. The job's row must be locked, so that reports come one after another."""
    job = session.get_one(Job, job_id, populate_existing=True)
    for endpoint in wanting(listeners(session, job), WebhookEvent.JOB_PROGRESS):
        _report(session, job, endpoint)


def _report(session: Session, job: Job, endpoint: WebhookEndpoint) -> None:
    latest = _latest(session, job.id, endpoint.id)
    data = job_data(job, endpoint.payload)
    if latest is None:
        session.add(_delivery(job, endpoint, data))
    elif latest.status is DeliveryStatus.PENDING:
        _overwrite(session, latest, data)
    elif percent(job.progress) - float(latest.data["progress"]) >= STEP:
        delivery = _delivery(job, endpoint, data)
        session.add(delivery)
        session.flush()
        _put_off(session, delivery.id, latest)


def _latest(session: Session, job_id: UUID, endpoint_id: UUID) -> WebhookDelivery | None:
    reports = select(WebhookDelivery).where(
        col(WebhookDelivery.job_id) == job_id,
        col(WebhookDelivery.endpoint_id) == endpoint_id,
        col(WebhookDelivery.event) == WebhookEvent.JOB_PROGRESS,
    )
    newest = reports.order_by(col(WebhookDelivery.created_at).desc(), col(WebhookDelivery.id).desc()).limit(1)
    return session.scalars(newest).one_or_none()


def _overwrite(session: Session, waiting: WebhookDelivery, data: dict[str, object]) -> None:
    # One that was claimed before may have reached the receiver: under its id nothing else may be said.
    unsent = (
        (col(WebhookDelivery.id) == waiting.id)
        & (col(WebhookDelivery.status) == DeliveryStatus.PENDING)
        & (col(WebhookDelivery.epoch) == 0)
    )
    session.execute(update(WebhookDelivery).where(unsent).values(data=data, created_at=db_now()))


def _put_off(session: Session, delivery_id: UUID, latest: WebhookDelivery) -> None:
    ago = session.execute(select(db_now())).scalar_one() - latest.next_at
    wait_s = EVERY_S - ago.total_seconds()
    if wait_s > 0:
        put_off = update(WebhookDelivery).where(col(WebhookDelivery.id) == delivery_id)
        session.execute(put_off.values(next_at=db_now(wait_s)))


def _delivery(job: Job, endpoint: WebhookEndpoint, data: dict[str, object]) -> WebhookDelivery:
    return WebhookDelivery(endpoint_id=endpoint.id, job_id=job.id, event=WebhookEvent.JOB_PROGRESS, data=data)
