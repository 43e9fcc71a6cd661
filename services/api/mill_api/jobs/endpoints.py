"""Jobs come in, are stopped, repeated and removed."""

from __future__ import annotations

from contextlib import suppress
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session
from starlette.requests import Request

from mill_api.auth import Caller, Forbidden, caller
from mill_api.jobs.idempotency import IDEMPOTENCY_KEY, IdempotencyMismatch, earlier_job
from mill_api.jobs.labels import write_labels
from mill_api.jobs.models import JobView
from mill_api.jobs.request import JobRequest, NewJob, new_job
from mill_api.jobs.same_job import same_job
from mill_api.jobs.view import read_view
from mill_api.links import path
from mill_api.openapi import Reply, Written, operation
from mill_api.owners import owned_job
from mill_api.resources import Resources, resources
from mill_api.uploads.room import UploadTooLarge
from mill_api.webhooks.request import check_url, job_endpoint
from mill_common.cleanup import delete_job_objects, keep_job_objects
from mill_common.errors import SourceMissing, StorageUnavailable
from mill_common.hooks.secrets import new_secret
from mill_common.merging import first_tasks
from mill_common.models import Job, JobSource
from mill_common.outgoing import AddressRefused
from mill_common.queue import (
    JobEnded,
    JobNotFailed,
    JobNotFound,
    JobRunning,
    cancel_job,
    enqueue_job,
    retry_job,
)
from mill_common.quotas import JobsQuotaExceeded, StorageQuotaExceeded, admit_job, lock_owner
from mill_common.removal import remove_job
from mill_common.states import JOB_ENDED, JobStatus


class Cancellation(BaseModel):
    """What a cancellation led to."""

    job_id: UUID
    status: JobStatus
    message: str


class DeleteQuery(BaseModel):
    """What goes with the job."""

    # A misspelt parameter must not delete what was to stay.
    model_config = ConfigDict(extra="forbid")

    delete_files: bool = Field(default=True, description="Remove what the job made from storage, too.")


class Deletion(BaseModel):
    """What was removed."""

    job_id: UUID
    deleted: bool
    files_deleted: int


@operation(
    tag="jobs",
    status=201,
    body=JobRequest,
    headers=[IDEMPOTENCY_KEY],
    returns=JobView,
    also={200: "The same request came before, or one for the same outputs of the same source; this is its job."},
    raises=[
        Forbidden,
        SourceMissing,
        UploadTooLarge,
        IdempotencyMismatch,
        StorageQuotaExceeded,
        JobsQuotaExceeded,
        StorageUnavailable,
        AddressRefused,
    ],
)
def create_job(request: Request, body: JobRequest) -> Reply[JobView]:
    """Accept a video for processing.

    Without an `Idempotency-Key`, a source that the owner has had made into the same outputs already, or is having made,
    gives that job, unless `force` is set. A failed or cancelled job does not count.
    """
    hook = body.webhook
    secret = (hook.secret or new_secret()) if hook else ""
    job_id, is_new = _accept(request, body, secret)
    view = read_view(request, job_id, already_existed=not is_new)
    if is_new and hook and hook.secret is None:
        view.values["webhook_secret"] = secret
    return Reply(view, status=201 if is_new else 200, headers={"Location": path("jobs", job_id)})


@operation(tag="jobs", returns=JobView, raises=[JobNotFound])
def get_job(request: Request, job_id: UUID) -> Written[JobView]:
    """Look at a job: its progress, its source and every output."""
    return read_view(request, job_id)


@operation(tag="jobs", returns=Cancellation, raises=[JobNotFound, JobEnded])
def cancel_job_now(request: Request, job_id: UUID) -> Cancellation:
    """Cancel a job. Its processes are stopped within seconds, and it never completes."""

    def work(session: Session) -> None:
        owned_job(session, job_id, caller(request).owner_id)
        cancel_job(session, job_id)

    resources(request).database.run(work)
    return Cancellation(
        job_id=job_id, status=JobStatus.CANCELLED, message="The job is cancelled; its running tasks are being stopped."
    )


@operation(tag="jobs", returns=JobView, raises=[JobNotFound, JobNotFailed, StorageQuotaExceeded, JobsQuotaExceeded])
def retry_failed_job(request: Request, job_id: UUID) -> Written[JobView]:
    """Run again what failed of a job. What completed stays."""
    wired = resources(request)
    owner_id = caller(request).owner_id

    def work(session: Session) -> frozenset[str]:
        owned_job(session, job_id, owner_id)
        admit_job(session, lock_owner(session, owner_id), wired.settings)
        return retry_job(session, job_id, wired.queue.policy)

    _wake(wired, wired.database.run(work))
    return read_view(request, job_id)


@operation(tag="jobs", query=DeleteQuery, returns=Deletion, raises=[JobNotFound, JobRunning, StorageUnavailable])
def delete_job_and_files(request: Request, job_id: UUID, query: DeleteQuery) -> Deletion:
    """Remove a job and, by default, the files it made.

    One that runs is cancelled first; ask again when its tasks have stopped.
    """
    wired = resources(request)
    owner_id = caller(request).owner_id
    wired.database.run(lambda session: _stop(session, job_id, owner_id))
    if not query.delete_files:
        keep_job_objects(wired.store, job_id)  # first, or a sweep might come in between
    keys = wired.database.run(lambda session: remove_job(session, job_id))
    # After the commit: a file without a row is swept, a row without its file would be a lie.
    deleted = delete_job_objects(wired.store, {job_id: keys}) if query.delete_files else 0
    return Deletion(job_id=job_id, deleted=True, files_deleted=deleted)


def _accept(request: Request, body: JobRequest, secret: str) -> tuple[UUID, bool]:
    wired, client = resources(request), caller(request)
    if body.webhook:
        check_url(wired.settings, body.webhook.url)
    key = request.headers.get(IDEMPOTENCY_KEY.name)
    with wired.database.read() as session:
        earlier = earlier_job(session, client.owner_id, key, body)
    if earlier is not None:
        return earlier, False
    try:
        return _enqueue(wired, client, new_job(wired, client, body, key), body, secret)
    except IntegrityError:
        # Two requests raced, or the upload was removed this moment.
        with wired.database.read() as session:
            earlier = earlier_job(session, client.owner_id, key, body)
        if earlier is None:
            raise SourceMissing from None
        return earlier, False


def _enqueue(wired: Resources, client: Caller, new: NewJob, body: JobRequest, secret: str) -> tuple[UUID, bool]:
    job, job_id = new.job, new.job.id
    plain = job.model_dump(exclude_unset=True) | {"id": job_id}

    def work(session: Session) -> tuple[UUID, bool, frozenset[str]]:
        owner = lock_owner(session, job.owner_id)
        earlier = earlier_job(session, job.owner_id, job.idempotency_key, body)
        if earlier is None and job.idempotency_key is None and not body.force:
            earlier = same_job(session, job, may_change=new.may_change)
        if earlier is not None:
            return earlier, False, frozenset()
        limits = admit_job(session, owner, wired.settings)
        if body.webhook:
            session.add(job_endpoint(client, body.webhook, job_id, secret))
        first = first_tasks(new.sources) if new.sources else None
        # Fresh rows each time: the transaction may be repeated.
        queues = enqueue_job(session, Job(**plain), wired.queue.policy, limits, first)
        session.add_all(JobSource(**source.model_dump()) for source in new.sources)
        write_labels(session, job_id, job.owner_id, job.user_metadata)
        return job_id, True, queues

    known, is_new, queues = wired.database.run(work)
    # Commit before sending: a worker may read the row before our transaction is visible.
    _wake(wired, queues)
    return known, is_new


def _wake(wired: Resources, queues: frozenset[str]) -> None:
    for queue in queues:
        wired.dispatcher.wake(queue)


def _stop(session: Session, job_id: UUID, owner_id: str) -> None:
    if owned_job(session, job_id, owner_id).status not in JOB_ENDED:
        with suppress(JobEnded):  # it may have ended since it was looked at
            cancel_job(session, job_id)
