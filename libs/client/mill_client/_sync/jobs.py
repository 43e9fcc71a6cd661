# Made from _async/jobs.py by `python -m tools.unasync`: change that.
"""Jobs: making, watching and ending them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from .._asked import job_request
from .._calls import jobs as calls
from .._calls.call import given
from ..errors import Conflict, JobFailed, WaitTimeout
from ..models import (
    Cancellation,
    Deletion,
    Job,
    JobEvent,
    JobSource,
    JobSpec,
    JobStatus,
    JobWebhook,
    OutputFile,
    StreamCookie,
)
from .events import Events
from .history import History
from .listing import Listing
from .pace import Pace
from .states import States
from .transport import Transport


class Jobs(Listing, History):
    """The jobs of this key's owner."""

    def __init__(self, transport: Transport, events: Events) -> None:
        self._transport = transport
        self._events = events

    def create(
        self,
        *,
        upload_id: str | None = None,
        url: str | None = None,
        object_key: str | None = None,
        sources: Sequence[JobSource] | None = None,
        spec: JobSpec | None = None,
        priority: int | None = None,
        deadline: datetime | float | None = None,
        collection: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        webhook: JobWebhook | str | None = None,
        force: bool = False,
        reuse: bool = False,
        idempotency_key: str | None = None,
    ) -> Job:
        """Ask for a video to be processed. Where it is, exactly one of the first four says.

        The same `idempotency_key` with the same request gives the same job, however often it is sent. Unless
        `reuse`, one is made up, so that a repeated request makes one job and two wishes make two.

        Args:
            upload_id: What was handed in.
            url: Where the server fetches it.
            object_key: Where it is in storage.
            sources: Several videos, merged into one in this order.
            spec: What to make.
            priority: 0 to 9; higher goes first.
            deadline: A time, or seconds from now.
            collection: A name to file the job under.
            metadata: What to keep with the job.
            webhook: A URL to be told of this job alone.
            force: Have the server make a new job even if there is one like it.
            reuse: Take a job that there is of the same source and outputs.
            idempotency_key: Names this wish.
        """
        places = given(upload_id=upload_id, url=url, object_key=object_key, sources=sources)
        more = given(priority=priority, deadline=deadline, collection=collection, force=force or None)
        body = job_request(places, spec=spec, metadata=metadata, webhook=webhook, more=more)
        key = idempotency_key or (None if reuse else str(uuid4()))
        return self._transport.send(calls.create(body, key))

    def get(self, job_id: str) -> Job:
        """One job in full."""
        return self._transport.send(calls.get(job_id))

    def outputs(self, job_id: str) -> list[OutputFile]:
        """Every file that a job made, so far."""
        return (self._transport.send(calls.outputs(job_id))).files

    def stream_cookie(self, job_id: str) -> StreamCookie:
        """Have this client's cookie jar play the job's stream without a token."""
        return self._transport.send(calls.stream_cookie(job_id))

    def change(
        self,
        job_id: str,
        *,
        priority: int | None = None,
        collection: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Job:
        """Change what is given. `metadata` replaces all of it; `collection=""` takes the job out of its own."""
        body = given(priority=priority, metadata=metadata)
        if collection is not None:
            body["collection"] = collection or None
        return self._transport.send(calls.change(job_id, body))

    def cancel(self, job_id: str) -> Cancellation:
        """Stop a waiting or running job."""
        return self._transport.send(calls.cancel(job_id))

    def retry(self, job_id: str) -> Job:
        """Run again what failed of a failed job."""
        return self._transport.send(calls.retry(job_id))

    def delete(self, job_id: str, *, files: bool = True, timeout_s: float = 60.0) -> Deletion:
        """Delete a job and, by default, its files. A running one is cancelled first.

        Raises:
            Conflict: Its tasks did not stop within `timeout_s` seconds.
        """
        pace = Pace(timeout_s)
        while True:
            try:
                return self._transport.send(calls.delete(job_id, files=files))
            except Conflict as conflict:
                if conflict.code != "job_running" or not pace.pause():
                    raise

    def follow(self, job_id: str, *, timeout_s: float | None = None, outage_s: float = 30.0) -> Iterator[Job]:
        """The job as it is now, then whenever it has moved, and at last as it ended.

        Raises:
            WaitTimeout: It did not end within `timeout_s` seconds.
            ConnectionFailed: The server was away for more than `outage_s` seconds; a restart is waited out.
        """
        job = self.get(job_id)
        yield job
        if job.status.ended:
            return
        try:
            for event in self._events.follow([job_id], timeout_s=timeout_s, outage_s=outage_s):
                seen = _moved(job, event)
                if seen != job and not event.ended:
                    yield seen
                job = seen
        except WaitTimeout as timeout:
            raise WaitTimeout(timeout_s or 0.0, [job_id], job) from timeout
        states = States(self._transport, [job_id], timeout_s=None, outage_s=outage_s)
        yield states.ask(calls.get(job_id))

    def wait(
        self,
        job_id: str,
        *,
        timeout_s: float | None = None,
        on_progress: Callable[[Job], None] | None = None,
    ) -> Job:
        """The job once it is completed.

        Raises:
            JobFailed: It failed or was cancelled.
            WaitTimeout: It did not end within `timeout_s` seconds.
            NotFound: It was deleted.
        """
        job: Job | None = None
        for job in self.follow(job_id, timeout_s=timeout_s):
            if on_progress:
                on_progress(job)
        assert job is not None
        if job.status is not JobStatus.COMPLETED:
            raise JobFailed(job)
        return job


def _moved(job: Job, event: JobEvent) -> Job:
    """The job as an event says that it is."""
    if event.event != "progress":
        return job
    known = {
        "current_task": event.current_task,
        "current_stage": event.current_stage,
        "current_task_progress": event.progress,
        "overall_progress": event.overall_progress or 0.0,
        "eta_seconds": event.eta_seconds,
    }
    return job.model_copy(update={"status": JobStatus(event.status), "progress": job.progress.model_copy(update=known)})
