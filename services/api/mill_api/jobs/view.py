"""A job as its owner sees it."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from pydantic import BaseModel, Field
from sqlalchemy import bindparam, select
from sqlmodel import Session, col
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.fields import Time
from mill_api.jobs.progress import ProgressView, progress_view
from mill_api.jobs.remaining import remaining_s
from mill_api.outputs.models import OutputsView
from mill_api.outputs.published import published_outputs
from mill_api.outputs.view import outputs_view
from mill_api.resources import resources
from mill_common.merging import MERGE
from mill_common.models import Job, Output, Task
from mill_common.prepared import Prepared
from mill_common.queue import JobNotFound
from mill_common.spec import JobSpec
from mill_common.states import JobStatus, TaskStatus

# Plain rows of what is shown: objects that could be written again take several times as long to make.
_JOB_COLUMNS: tuple[Any, ...] = (
    *map(col, (Job.id, Job.status, Job.priority, Job.progress, Job.spec, Job.user_metadata, Job.collection)),
    *map(col, (Job.filename, Job.source_url, Job.source_size, Job.source_sha256, Job.media, Job.transcript)),
    *map(col, (Job.error_code, Job.error_message, Job.failed_task)),
    *map(col, (Job.created_at, Job.started_at, Job.updated_at, Job.completed_at)),
)
_STEP_COLUMNS: tuple[Any, ...] = (
    *map(col, (Task.id, Task.name, Task.kind, Task.queue, Task.status, Task.stage, Task.progress, Task.weight)),
    *map(col, (Task.attempts, Task.started_at, Task.heartbeat_at, Task.finished_at, Task.params)),
)
_JOB = Prepared(
    "job_of_owner",
    select(*_JOB_COLUMNS).where(col(Job.id) == bindparam("job_id"), col(Job.owner_id) == bindparam("owner_id")),
)
_STEPS = Prepared(
    "steps_of_job",
    select(*_STEP_COLUMNS).where(col(Task.job_id) == bindparam("job_id")).order_by(col(Task.id)),
)


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


def read_view(request: Request, job_id: UUID, *, already_existed: bool = False) -> JobView:
    """The caller's job of that id.

    Raises:
        JobNotFound: There is none, or it is another owner's.
    """
    with resources(request).database.read() as session:
        job = _job(session, job_id, caller(request).owner_id)
        tasks = _steps(session, job_id)
        outputs = published_outputs(session, job_id)
        left_s = remaining_s(session, job, tasks)
    progress = progress_view(job, tasks, left_s=left_s)
    return _view(request, job, tasks, outputs, progress=progress, already_existed=already_existed)


def _job(session: Session, job_id: UUID, owner_id: str) -> Job:
    row = _JOB.first(session.connection(), {"job_id": job_id, "owner_id": owner_id})
    if row is None:
        raise JobNotFound
    return cast(Job, row)


def _steps(session: Session, job_id: UUID) -> list[Task]:
    """The steps of a job, in the order they were planned."""
    return cast(list[Task], _STEPS.rows(session.connection(), {"job_id": job_id}))


def _view(
    request: Request,
    job: Job,
    tasks: list[Task],
    outputs: list[Output],
    *,
    progress: ProgressView,
    already_existed: bool,
) -> JobView:
    spec = JobSpec.model_validate(job.spec)
    return JobView(
        job_id=job.id,
        status=job.status,
        priority=job.priority,
        already_existed=already_existed,
        created_at=job.created_at,
        started_at=job.started_at,
        updated_at=job.updated_at,
        completed_at=job.completed_at,
        progress=progress,
        source=_source(job, tasks),
        outputs=outputs_view(request, job, spec, outputs),
        processing_time=_processing_time(job, tasks),
        spec=spec,
        collection=job.collection,
        user_metadata=job.user_metadata,
        error=_error(job, tasks),
    )


def _source(job: Job, tasks: list[Task]) -> SourceView:
    media: dict[str, Any] = job.media or {}
    merged = next((len(task.params["sources"]) for task in tasks if task.kind == MERGE), 1)
    width, height = media.get("width"), media.get("height")
    return SourceView(
        filename=job.filename,
        size_bytes=job.source_size,
        duration_seconds=media.get("duration_s"),
        resolution=f"{width}x{height}" if width and height else None,
        codec=media.get("codec"),
        file_hash=job.source_sha256,
        url=job.source_url,
        has_video=media.get("video") is not None if media else None,
        has_audio=media.get("audio") is not None if media else None,
        video_count=merged,
        segments=[_segment(segment) for segment in media["segments"]] if "segments" in media else None,
    )


def _segment(segment: dict[str, Any]) -> SegmentView:
    shown = {"start_seconds": segment["start_s"], "duration_seconds": segment["duration_s"]}
    return SegmentView(**shown, file_hash=segment["sha256"], **segment)


def _processing_time(job: Job, tasks: list[Task]) -> dict[str, float | None]:
    seconds: dict[str, float | None] = {}
    for task in tasks:
        if task.status is TaskStatus.COMPLETED and task.started_at and task.finished_at:
            spent = (task.finished_at - task.started_at).total_seconds()
            seconds[task.kind] = round((seconds.get(task.kind) or 0.0) + spent, 3)
    if job.started_at is None or job.completed_at is None:
        return seconds | {"total_seconds": None}
    return seconds | {"total_seconds": round((job.completed_at - job.started_at).total_seconds(), 3)}


def _error(job: Job, tasks: list[Task]) -> ErrorView | None:
    if job.status is not JobStatus.FAILED:
        return None
    failed = next((task for task in tasks if task.name == job.failed_task), None)
    return ErrorView(
        code=job.error_code or "internal_error",
        message=job.error_message or "",
        failed_task=job.failed_task,
        retry_count=max(0, failed.attempts - 1) if failed else 0,
    )
