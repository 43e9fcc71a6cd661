"""Jobs, alone and in lists."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from .base import Model, Word
from .outputs import OutputFile, Outputs


class JobStatus(Word):
    """The life of a job."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens by itself."""
        return self in {JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED}


class Progress(Model):
    """How far a job is, in percent. `overall_progress` never falls."""

    current_task: str | None = None
    current_stage: str | None = None
    current_task_progress: float | None = None
    overall_progress: float = 0.0
    eta_seconds: float | None = None


class Segment(Model):
    """One of several videos, and where it is in the one that they were merged into."""

    index: int
    filename: str
    start_seconds: float
    duration_seconds: float
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    has_video: bool | None = None
    has_audio: bool | None = None
    file_hash: str | None = None


class Source(Model):
    """The video that came in. `segments` is None unless several were merged into it."""

    filename: str | None = None
    size_bytes: int | None = None
    duration_seconds: float | None = None
    resolution: str | None = None
    codec: str | None = None
    file_hash: str | None = None
    url: str | None = None
    has_video: bool | None = None
    has_audio: bool | None = None
    video_count: int = 1
    segments: list[Segment] | None = None


class JobError(Model):
    """Why a job failed."""

    code: str
    message: str
    failed_task: str | None = None
    retry_count: int | None = None


class JobSummary(Model):
    """A job in a list."""

    job_id: str
    status: JobStatus
    priority: int | None = None
    filename: str | None = None
    collection: str | None = None
    duration_seconds: float | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None
    progress: Progress | float | None = None
    error_code: str | None = None


class Job(Model):
    """A job in full."""

    job_id: str
    status: JobStatus
    priority: int | None = None
    already_existed: bool = False
    created_at: datetime | None = None
    started_at: datetime | None = None
    updated_at: datetime | None = None
    completed_at: datetime | None = None
    progress: Progress = Progress()
    source: Source = Source()
    outputs: Outputs = Outputs()
    processing_time: dict[str, float | None] = Field(default_factory=dict)
    spec: dict[str, Any] = Field(default_factory=dict)
    collection: str | None = None
    user_metadata: dict[str, Any] | None = None
    error: JobError | None = None
    webhook_secret: str | None = Field(default=None, repr=False)


class JobPage(Model):
    """One page of a list of jobs."""

    jobs: list[JobSummary]
    total: int | None = None
    page: int | None = None
    per_page: int | None = None
    total_pages: int | None = None
    next_cursor: str | None = None


class Cancellation(Model):
    """What became of a wish to cancel."""

    job_id: str
    status: str
    message: str = ""


class Deletion(Model):
    """What was deleted."""

    job_id: str
    deleted: bool
    files_deleted: int = 0


class JobOutputs(Model):
    """Every file that a job made, so far."""

    job_id: str
    files: list[OutputFile]


class BatchStatus(Model):
    """Many jobs at once, and the ids of which there is none."""

    jobs: list[JobSummary]
    not_found: list[str] = Field(default_factory=list)


class StreamCookie(Model):
    """Where to play from with the cookie that came along."""

    master_url: str
    expires_at: datetime
