"""What happens to a job is written down for whoever wants to be told, in the transaction that makes it happen.

Nobody listens to most jobs: then each of these costs one look at an index, and `note_progress` only when it rose.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import or_, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.hooks.payload import job_data, output_data
from mill_common.hooks.ready import ready_outputs
from mill_common.models import Job, Output, WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import DeliveryStatus, WebhookEvent
from mill_common.states import JOB_ENDED, JobStatus

_EVENTS = {
    JobStatus.PROCESSING: WebhookEvent.JOB_STARTED,
    JobStatus.COMPLETED: WebhookEvent.JOB_COMPLETED,
    JobStatus.FAILED: WebhookEvent.JOB_FAILED,
    JobStatus.CANCELLED: WebhookEvent.JOB_CANCELLED,
}


def note_status(session: Session, job: Job, before: JobStatus) -> None:
    """Tell of a job's new status, if it is no longer `before`. A job starts once, however often it is taken up."""
    event = _EVENTS.get(job.status)
    if job.status is before or event is None:
        return
    listening = listeners(session, job)
    if not listening:
        return
    if job.status in JOB_ENDED:
        _supersede_progress(session, job.id)
    told = _told(session, job.id, event) if event is WebhookEvent.JOB_STARTED else frozenset()
    chosen = [endpoint for endpoint in wanting(listening, event) if endpoint.id not in told]
    if chosen:
        shown = published(session, job.id) if job.status is JobStatus.COMPLETED else []
        session.add_all(_delivery(endpoint, job, event, job_data(job, endpoint.payload, shown)) for endpoint in chosen)


def note_outputs(session: Session, job: Job) -> None:
    """Tell of every output that has just been published: one event for each thing that was asked for."""
    chosen = wanting(listeners(session, job), WebhookEvent.OUTPUT_READY)
    if not chosen:
        return
    for output in ready_outputs(job.id, published(session, job.id)):
        session.add_all(
            _delivery(endpoint, job, WebhookEvent.OUTPUT_READY, output_data(job, endpoint.payload, output))
            for endpoint in chosen
        )


def listeners(session: Session, job: Job) -> Sequence[WebhookEndpoint]:
    """The enabled endpoints of the job's owner, and the job's own."""
    of_job = or_(col(WebhookEndpoint.job_id).is_(None), col(WebhookEndpoint.job_id) == job.id)
    found = select(WebhookEndpoint).where(
        col(WebhookEndpoint.owner_id) == job.owner_id, of_job, col(WebhookEndpoint.enabled)
    )
    return session.scalars(found.order_by(col(WebhookEndpoint.id))).all()


def wanting(endpoints: Iterable[WebhookEndpoint], event: WebhookEvent) -> list[WebhookEndpoint]:
    """Those that chose the event."""
    return [endpoint for endpoint in endpoints if event in endpoint.events]


def published(session: Session, job_id: UUID) -> Sequence[Output]:
    """What the job made for its client, by name."""
    shown = select(Output).where(col(Output.job_id) == job_id, col(Output.published_at).is_not(None))
    return session.scalars(shown.where(~col(Output.intermediate)).order_by(col(Output.name))).all()


def _delivery(endpoint: WebhookEndpoint, job: Job, event: WebhookEvent, data: dict[str, object]) -> WebhookDelivery:
    return WebhookDelivery(endpoint_id=endpoint.id, job_id=job.id, event=event, data=data)


def _told(session: Session, job_id: UUID, event: WebhookEvent) -> frozenset[UUID]:
    told = select(col(WebhookDelivery.endpoint_id)).where(
        col(WebhookDelivery.job_id) == job_id, col(WebhookDelivery.event) == event
    )
    return frozenset(session.scalars(told).all())


def _supersede_progress(session: Session, job_id: UUID) -> None:
    waiting = update(WebhookDelivery).where(
        col(WebhookDelivery.job_id) == job_id,
        col(WebhookDelivery.event) == WebhookEvent.JOB_PROGRESS,
        col(WebhookDelivery.status) == DeliveryStatus.PENDING,
    )
    session.execute(waiting.values(status=DeliveryStatus.SUPERSEDED, ended_at=db_now()))
