"""What happens to a job is written down for whoever wants to be told, in the transaction that makes it happen.

Nobody listens to most jobs: `watched` says so in the statement that reads the job anyway, and nothing more is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, or_, select, update
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


def watched() -> ColumnElement[bool]:
    """Whether somebody wants to be told of a job. A column for a statement that reads its row."""
    endpoint = select(col(WebhookEndpoint.id)).where(_listening(col(Job.owner_id), col(Job.id)))
    return endpoint.correlate(Job).exists().label("watched")


def note_status(session: Session, job_id: UUID) -> None:
    """Tell of a job's new status, which has just been written. A job starts once, however often it is taken up."""
    job = session.get_one(Job, job_id, populate_existing=True)
    event = _EVENTS.get(job.status)
    listening = listeners(session, job)
    if event is None or not listening:
        return
    if job.status in JOB_ENDED:
        _supersede_progress(session, job.id)
    told = _told(session, job.id, event) if event is WebhookEvent.JOB_STARTED else frozenset()
    chosen = [endpoint for endpoint in wanting(listening, event) if endpoint.id not in told]
    if chosen:
        shown = published(session, job.id) if job.status is JobStatus.COMPLETED else []
        session.add_all(_delivery(endpoint, job, event, job_data(job, endpoint.payload, shown)) for endpoint in chosen)


def note_outputs(session: Session, job_id: UUID) -> None:
    """Tell of every output that has just been published: one event for each thing that was asked for."""
    job = session.get_one(Job, job_id, populate_existing=True)
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
    found = select(WebhookEndpoint).where(_listening(job.owner_id, job.id))
    return session.scalars(found.order_by(col(WebhookEndpoint.id))).all()


def _listening(owner_id: Any, job_id: Any) -> ColumnElement[bool]:
    of_job = or_(col(WebhookEndpoint.job_id).is_(None), col(WebhookEndpoint.job_id) == job_id)
    return and_(col(WebhookEndpoint.owner_id) == owner_id, of_job, col(WebhookEndpoint.enabled))


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
