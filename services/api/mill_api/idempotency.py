"""The same key and request give the same job."""

from __future__ import annotations

from uuid import UUID

from sqlmodel import Session, col, select

from mill_api.job_request import JobRequest
from mill_api.openapi import Header
from mill_common.errors import PermanentError
from mill_common.models import Job, Upload

IDEMPOTENCY_KEY = Header("Idempotency-Key", "The same key and body give the same job, however often they are sent.")


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
    if job.request_hash != body.digest() or not _same_upload(session, job, body.source.upload_id):
        raise IdempotencyMismatch
    return job.id


def _same_upload(session: Session, job: Job, upload_id: UUID | None) -> bool:
    """Whether an upload is the job's own or holds the same bytes: a client that starts anew uploads anew."""
    if upload_id == job.upload_id:
        return True
    same = select(Upload.id).where(
        col(Upload.id) == upload_id,
        col(Upload.owner_id) == job.owner_id,
        col(Upload.sha256) == job.source_sha256,
        col(Upload.filename) == job.filename,
    )
    return session.exec(same).first() is not None
