"""What Server-Sent Events tell."""

from __future__ import annotations

from datetime import datetime

from .base import Model
from .jobs import JobStatus

_ENDS = {status.value for status in JobStatus if status.ended} | {"deleted"}


class JobEvent(Model):
    """News of a job: `progress`, `stage`, or `complete`, after which nothing follows. Progress is in percent.

    `status` is a job's, or `deleted`. `id` resumes a stream behind this event; it is empty where it can't.
    """

    event: str
    id: str = ""
    job_id: str
    status: str
    current_task: str | None = None
    current_stage: str | None = None
    progress: float | None = None
    overall_progress: float | None = None
    eta_seconds: float | None = None
    updated_at: datetime | None = None
    completed_at: datetime | None = None
    error_code: str | None = None
    error_message: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the job has ended."""
        return self.status in _ENDS


class Ticket(Model):
    """What lets a browser watch in place of a key."""

    ticket: str
    expires_at: datetime
    url: str
