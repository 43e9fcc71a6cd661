"""How far a job is, and how long it will take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from mill_api.jobs.rows import JobRow, StepRow
from mill_common.models import Job, Task
from mill_common.states import JobStatus, TaskStatus

MIN_SHARE = 0.05  # of the job: before, its speed says little
MIN_ELAPSED_S = 3.0


class ProgressView(BaseModel):
    """How far a job is, in percent. The overall progress never falls."""

    current_task: str | None
    current_stage: str | None
    current_task_progress: float = Field(ge=0, le=100)
    overall_progress: float = Field(ge=0, le=100)
    eta_seconds: float | None = Field(
        description=(
            "Of work, by what such steps took on this system before, or else by the job's own speed so far; null while"
            " neither is known. Waiting for workers is not in it."
        )
    )


def progress_view(job: Job, tasks: list[Task]) -> ProgressView:
    """The progress of a job with these tasks."""
    return ProgressView(**progress_of(job, tasks))


def progress_of(job: Job | JobRow, tasks: Sequence[Task | StepRow], *, left_s: float | None = None) -> dict[str, Any]:
    """What `ProgressView` shows. `left_s`: how long the rest will take, if that is known."""
    running = next((task for task in tasks if task.status == TaskStatus.RUNNING), None)
    return {
        "current_task": running.name if running else None,
        "current_stage": running.stage if running else None,
        "current_task_progress": percent(running.progress) if running else 0.0,
        "overall_progress": percent(job.progress),
        "eta_seconds": _eta_s(job, tasks, running) if left_s is None else round(left_s, 1),
    }


def percent(share: float) -> float:
    """A share in [0, 1] as percent with one decimal."""
    return round(100.0 * min(1.0, max(0.0, share)), 1)


def _eta_s(job: Job | JobRow, tasks: Sequence[Task | StepRow], running: Task | StepRow | None) -> float | None:
    if job.status == JobStatus.COMPLETED:
        return 0.0
    if job.status != JobStatus.PROCESSING or running is None or job.started_at is None:
        return None
    # The job's row was last touched when its progress was: both ends of the measurement are the database's time.
    measured_at = max(_times(tasks), default=job.started_at)
    elapsed_s = (measured_at - job.started_at).total_seconds()
    if job.progress < MIN_SHARE or elapsed_s < MIN_ELAPSED_S:
        return None
    return round(elapsed_s * (1.0 - job.progress) / job.progress, 1)


def _times(tasks: Sequence[Task | StepRow]) -> list[datetime]:
    return [time for task in tasks for time in (task.heartbeat_at, task.finished_at) if time is not None]
