"""Jobs: making, watching and ending them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Unpack

from . import _calls
from ._transport import Transport
from ._waiting import Pace
from .errors import Conflict, ConnectionFailed, JobFailed, ServerError, WaitTimeout
from .models import Cancellation, Deletion, Job, JobFilter, JobPage, JobSpec, JobStatus, JobSummary, OutputFile


class Jobs:
    """The jobs of this key's owner."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        *,
        upload_id: str | None = None,
        url: str | None = None,
        object_key: str | None = None,
        spec: JobSpec | None = None,
        priority: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Ask for a video to be processed. The source is exactly one of the first three.

        The same `idempotency_key` with the same request gives the same job, however often it is sent.
        """
        places = {"upload_id": upload_id, "url": url, "object_key": object_key}
        source = {name: value for name, value in places.items() if value is not None}
        if len(source) != 1:
            raise ValueError("a job has exactly one source: upload_id, url or object_key")
        asked = {
            "spec": spec.model_dump(mode="json", exclude_unset=True) if spec else None,
            "priority": priority,
            "metadata": dict(metadata) if metadata else None,
        }
        body = {"source": source} | {name: value for name, value in asked.items() if value is not None}
        return self._transport.send(_calls.create_job(body, idempotency_key))

    def get(self, job_id: str) -> Job:
        """One job in full."""
        return self._transport.send(_calls.get_job(job_id))

    def page(self, **filters: Unpack[JobFilter]) -> JobPage:
        """One page of the jobs that pass the filters."""
        return self._transport.send(_calls.list_jobs(filters))

    def each(self, **filters: Unpack[JobFilter]) -> Iterator[JobSummary]:
        """Every job that passes the filters, page after page."""
        page = self.page(**filters)
        yield from page.jobs
        while page.next_cursor:
            filters["cursor"], filters["page"] = page.next_cursor, None
            page = self.page(**filters)
            yield from page.jobs

    def outputs(self, job_id: str) -> list[OutputFile]:
        """Every file that a job made, so far."""
        return self._transport.send(_calls.list_outputs(job_id)).files

    def cancel(self, job_id: str) -> Cancellation:
        """Stop a waiting or running job."""
        return self._transport.send(_calls.cancel_job(job_id))

    def retry(self, job_id: str) -> Job:
        """Run again what failed of a failed job."""
        return self._transport.send(_calls.retry_job(job_id))

    def delete(self, job_id: str, *, files: bool = True, timeout_s: float = 60.0) -> Deletion:
        """Delete a job and, by default, its files. A running one is cancelled first.

        Raises:
            Conflict: Its tasks did not stop within `timeout_s` seconds.
        """
        pace = Pace(timeout_s)
        while True:
            try:
                return self._transport.send(_calls.delete_job(job_id, files=files))
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
        pace = Pace(timeout_s)
        while not job.status.ended:
            if not pace.pause():
                raise WaitTimeout(job, timeout_s or 0.0)
            seen = self._get_despite_outage(job_id, min(outage_s, pace.left_s))
            if (seen.status, seen.progress) != (job.status, job.progress):
                yield seen
            job = seen

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
        """
        job: Job | None = None
        for job in self.follow(job_id, timeout_s=timeout_s):
            if on_progress:
                on_progress(job)
        assert job is not None
        if job.status is not JobStatus.COMPLETED:
            raise JobFailed(job)
        return job

    def _get_despite_outage(self, job_id: str, outage_s: float) -> Job:
        pace = Pace(outage_s, first_s=0.5)
        while True:
            try:
                return self.get(job_id)
            except (ConnectionFailed, ServerError):
                if not pace.pause():
                    raise
