"""What is done on a schedule or on demand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from .base import Model, Word


class RunStatus(Word):
    """The life of a run."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class Run(Model):
    """One run of a schedule. What cannot be known yet is None."""

    id: str
    job_name: str
    job_type: str
    status: RunStatus
    total_items: int | None = None
    items_processed: int = 0
    items_succeeded: int = 0
    items_failed: int = 0
    progress_percent: float | None = None
    worker: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    elapsed_seconds: float = 0.0
    estimated_remaining_seconds: float | None = None
    items_per_second: float | None = None
    metadata: dict[str, Any] = Field(default_factory=dict)
    error: str | None = None


class RunList(Model):
    """Runs, the latest first."""

    jobs: list[Run]


class ScheduleSummary(Model):
    """A schedule's latest run and its next. `status` is `never_run` before the first."""

    last_run: datetime | None = None
    status: str
    progress: str | None = None
    duration_seconds: float | None = None
    next_scheduled: datetime | None = None
    error: str | None = None


class RunSummary(Model):
    """Every schedule, by name."""

    summary: dict[str, ScheduleSummary]
