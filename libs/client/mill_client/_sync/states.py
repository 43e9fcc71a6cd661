# Made from _async/states.py by `python -m tools.unasync`: change that.
"""How some jobs are, as far as somebody who follows them has been told."""

from __future__ import annotations

from collections.abc import Collection
from typing import TypeVar

from .._calls import Call
from .._calls import jobs as calls
from ..errors import ConnectionFailed, NotFound, ServerError, WaitTimeout
from ..models import Job, JobEvent, JobSummary, Progress
from .pace import Pace
from .transport import Transport

T = TypeVar("T")
AT_ONCE = 500
# With less time left, a stream that is silent between two comments could hold us beyond it.
STREAM_MIN_S = 20.0


class States:
    """The jobs that are waited for, and what was last told of each."""

    def __init__(
        self, transport: Transport, job_ids: Collection[str], *, timeout_s: float | None, outage_s: float
    ) -> None:
        self.waiting = dict.fromkeys(job_ids)
        self.only = next(iter(self.waiting)) if len(self.waiting) == 1 else None
        self.listens = True
        self._transport = transport
        self._told: dict[str, tuple[object, ...]] = {}
        self._timeout_s = timeout_s
        self._outage_s = outage_s
        self._pace = Pace(timeout_s)

    @property
    def is_worth_listening(self) -> bool:
        """Whether the server gives a stream, and there is time to hear it."""
        return self.listens and self._pace.left_s > STREAM_MIN_S

    def look(self) -> list[JobEvent]:
        """Ask the server how the jobs are; what is news.

        Raises:
            ConnectionFailed: The server was away for longer than allowed.
        """
        if self.only:
            found = self._one(self.only) if self.waiting else []
        else:
            found = []
            ids = list(self.waiting)
            for start in range(0, len(ids), AT_ONCE):
                answer = self.ask(calls.batch_status(ids[start : start + AT_ONCE]))
                found += [_of_summary(job) for job in answer.jobs]
                found += [_gone(job_id) for job_id in answer.not_found]
        return [news for event in found for news in self.take(event)]

    def take(self, event: JobEvent) -> list[JobEvent]:
        """The event, if it is news of a job that is waited for."""
        if event.job_id not in self.waiting:
            return []
        said = (event.event, event.status, event.current_task, event.current_stage, event.overall_progress)
        if said == self._told.get(event.job_id):
            return []
        self._told[event.job_id] = said
        if event.event == "complete":
            del self.waiting[event.job_id]
        return [event]

    def pause(self) -> None:
        """Wait a little.

        Raises:
            WaitTimeout: There is no time left.
        """
        if self.waiting and not self._pace.pause():
            raise WaitTimeout(self._timeout_s or 0.0, list(self.waiting))

    def ask(self, call: Call[T]) -> T:
        """Send a call, again and again while the server is away."""
        pace = Pace(min(self._outage_s, max(self._pace.left_s, 0.0)), first_s=0.5)
        while True:
            try:
                return self._transport.send(call)
            except (ConnectionFailed, ServerError):
                if not pace.pause():
                    raise

    def _one(self, job_id: str) -> list[JobEvent]:
        try:
            return [event_of(self.ask(calls.get(job_id)))]
        except NotFound:
            return [_gone(job_id)]


def event_of(job: Job) -> JobEvent:
    """A job's state as the event that tells it."""
    known = job.progress
    return JobEvent(
        event="complete" if job.status.ended else "progress",
        job_id=job.job_id,
        status=job.status,
        current_task=known.current_task,
        current_stage=known.current_stage,
        progress=known.current_task_progress,
        overall_progress=known.overall_progress,
        eta_seconds=known.eta_seconds,
        completed_at=job.completed_at,
        error_code=job.error.code if job.error else None,
        error_message=job.error.message if job.error else None,
    )


def _of_summary(job: JobSummary) -> JobEvent:
    known = job.progress
    return JobEvent(
        event="complete" if job.status.ended else "progress",
        job_id=job.job_id,
        status=job.status,
        overall_progress=known.overall_progress if isinstance(known, Progress) else known,
        completed_at=job.completed_at,
        error_code=job.error_code,
    )


def _gone(job_id: str) -> JobEvent:
    return JobEvent(event="complete", job_id=job_id, status="deleted")
