"""What became of a job: tries at its steps, and its log."""

from __future__ import annotations

from datetime import datetime

from .base import Model


class Attempt(Model):
    """One worker's try at one step. `outcome` is None while it runs."""

    task: str
    kind: str | None = None
    epoch: int | None = None
    worker: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration_seconds: float | None = None
    outcome: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    peak_memory_bytes: int | None = None
    cpu_seconds: float | None = None
    bytes_in: int | None = None
    bytes_out: int | None = None


class AttemptList(Model):
    """Every try, the earliest first."""

    job_id: str
    attempts: list[Attempt]


class LogEntry(Model):
    """One line of a job's story."""

    time: datetime
    level: str
    event: str
    message: str = ""
    task: str | None = None
    epoch: int | None = None
    error_code: str | None = None


class JobLog(Model):
    """One page of a job's story."""

    job_id: str
    entries: list[LogEntry]
    total: int | None = None
    page: int = 1
    total_pages: int = 1
