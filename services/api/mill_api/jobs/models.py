"""What is shown of a job."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, Field

from mill_api.fields import Time
from mill_api.jobs.progress import ProgressView
from mill_api.outputs.models import OutputsView
from mill_common.spec import JobSpec
from mill_common.states import JobStatus


class SegmentView(BaseModel):
    """One of several sources, where it is in the video that they were merged into."""

    index: int = Field(description="Its place in `sources`, from 0.")
    filename: str
    start_seconds: float
    duration_seconds: float
    width: int | None = Field(description="Pixels, of the source as shown; null if it has no picture.")
    height: int | None
    fps: float | None = Field(description="Frames a second of the source.")
    has_video: bool
    has_audio: bool
    file_hash: str = Field(description="SHA-256, hexadecimal.")


class SourceView(BaseModel):
    """What came in. Most of it is null until the source has been read."""

    filename: str
    size_bytes: int | None
    duration_seconds: float | None
    resolution: str | None = Field(description='As shown: "1920x1080".')
    codec: str | None
    file_hash: str | None = Field(description="SHA-256, hexadecimal.")
    url: str | None
    has_video: bool | None
    has_audio: bool | None
    video_count: int = Field(description="How many videos this is made of.")
    segments: list[SegmentView] | None = Field(
        description="Where each of several sources is once they are merged; then the rest is said of the merged video."
    )


class ErrorView(BaseModel):
    """Why the job failed."""

    code: str
    message: str
    failed_task: str | None
    retry_count: int = Field(description="How often the failed task was tried again.")


class JobView(BaseModel):
    """A job: its progress, its source, every output and what it took."""

    job_id: UUID
    status: JobStatus
    priority: int
    already_existed: bool = Field(description="Whether the request that this answers had come before.")
    created_at: Time
    started_at: Time | None
    updated_at: Time
    completed_at: Time | None = Field(description="When it ended, however it ended.")
    progress: ProgressView
    source: SourceView
    outputs: OutputsView
    processing_time: dict[str, float | None] = Field(
        description="Seconds by kind of step, several tasks of a kind added up, and `total_seconds` from start to end."
    )
    spec: JobSpec
    collection: str | None = Field(description="The name under which its owner files it.")
    user_metadata: dict[str, str | bool | int | float | None]
    error: ErrorView | None
    webhook_secret: str | None = Field(
        default=None, description="What signs for the job's own webhook: in the answer that made the job, never again."
    )
