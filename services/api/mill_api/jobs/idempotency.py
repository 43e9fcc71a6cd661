"""The same key and request give the same job."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from sqlmodel import Session, col, select

from mill_api.jobs.request import JobRequest
from mill_api.openapi import Header
from mill_common.errors import PermanentError
from mill_common.models import Job, JobSource, Upload

IDEMPOTENCY_KEY = Header("Idempotency-Key", "The same key and body give the same job, however often they are sent.")


class Known(NamedTuple):
    """What the first request named."""

    upload_id: UUID | None
    sha256: str | None
    filename: str


class IdempotencyMismatch(PermanentError):
    """This idempotency key came with another request before."""

    code = "idempotency_mismatch"
    status = 422


def earlier_job(session: Session, owner_id: str, key: str | None, body: JobRequest) -> UUID | None:
    """The job that this request made before, if it did.

    Raises:
        IdempotencyMismatch: The key came with another request.
    """
    if key is None:
        return None
    job = session.exec(select(Job).where(col(Job.owner_id) == owner_id, col(Job.idempotency_key) == key)).first()
    if job is None:
        return None
    if job.request_hash != body.digest() or not _same_uploads(session, job, body):
        raise IdempotencyMismatch
    return job.id


def _same_uploads(session: Session, job: Job, body: JobRequest) -> bool:
    if body.source is not None:
        known = Known(job.upload_id, job.source_sha256, job.filename)
        return _same_upload(session, job.owner_id, body.source.upload_id, known)
    of_job = select(JobSource).where(col(JobSource.job_id) == job.id).order_by(col(JobSource.position))
    earlier = session.exec(of_job).all()
    sources = body.sources or []
    return len(earlier) == len(sources) and all(
        _same_upload(session, job.owner_id, asked.upload_id, Known(row.upload_id, row.sha256, row.filename))
        for asked, row in zip(sources, earlier, strict=True)
    )


def _same_upload(session: Session, owner_id: str, upload_id: UUID | None, known: Known) -> bool:
    """Whether an upload is the job's own or holds the same bytes: a client that starts anew uploads anew."""
    if upload_id == known.upload_id:
        return True
    same = select(Upload.id).where(
        col(Upload.id) == upload_id,
        col(Upload.owner_id) == owner_id,
        col(Upload.sha256) == known.sha256,
        col(Upload.filename) == known.filename,
    )
    return session.exec(same).first() is not None
