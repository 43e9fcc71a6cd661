"""A job as its owner sees it.

Built as what `JobView` would be written as, not as a `JobView`: checking what we made ourselves, and asking some twenty
models to write themselves down, took longer than everything else about the most asked for of all answers.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from starlette.requests import Request

from mill_api.auth import caller
from mill_api.fields import rfc3339_or_none
from mill_api.jobs.models import JobView, SegmentView
from mill_api.jobs.progress import progress_of
from mill_api.jobs.remaining import remaining_s
from mill_api.jobs.rows import JobRow, StepRow, read_rows
from mill_api.openapi import Written
from mill_api.outputs.view import outputs_view
from mill_api.resources import resources
from mill_common.merging import MERGE
from mill_common.spec import JobSpec
from mill_common.states import JobStatus, TaskStatus


def read_view(request: Request, job_id: UUID, *, already_existed: bool = False) -> Written[JobView]:
    """The caller's job of that id.

    Raises:
        JobNotFound: There is none, or it is another owner's.
    """
    database = resources(request).database
    job, steps, outputs = read_rows(database, job_id, caller(request).owner_id)
    left_s = remaining_s(database, job, steps)
    spec = JobSpec.model_validate(job.spec)
    return Written(
        JobView,
        {
            "job_id": str(job.id),
            "status": job.status,
            "priority": job.priority,
            "already_existed": already_existed,
            "created_at": rfc3339_or_none(job.created_at),
            "started_at": rfc3339_or_none(job.started_at),
            "updated_at": rfc3339_or_none(job.updated_at),
            "completed_at": rfc3339_or_none(job.completed_at),
            "progress": progress_of(job, steps, left_s=left_s),
            "source": _source(job, steps),
            "outputs": outputs_view(request, job, spec, outputs),
            "processing_time": _processing_time(job, steps),
            "spec": spec.model_dump(mode="json"),
            "collection": job.collection,
            "user_metadata": job.user_metadata,
            "error": _error(job, steps),
            "webhook_secret": None,
        },
    )


def _source(job: JobRow, steps: list[StepRow]) -> dict[str, Any]:
    media: dict[str, Any] = job.media or {}
    merged = next((len(step.params["sources"]) for step in steps if step.kind == MERGE), 1)
    width, height = media.get("width"), media.get("height")
    return {
        "filename": job.filename,
        "size_bytes": job.source_size,
        "duration_seconds": media.get("duration_s"),
        "resolution": f"{width}x{height}" if width and height else None,
        "codec": media.get("codec"),
        "file_hash": job.source_sha256,
        "url": job.source_url,
        "has_video": media.get("video") is not None if media else None,
        "has_audio": media.get("audio") is not None if media else None,
        "video_count": merged,
        "segments": [_segment(segment) for segment in media["segments"]] if "segments" in media else None,
    }


def _segment(segment: dict[str, Any]) -> SegmentView:
    shown = {"start_seconds": segment["start_s"], "duration_seconds": segment["duration_s"]}
    return SegmentView(**shown, file_hash=segment["sha256"], **segment)


def _processing_time(job: JobRow, steps: list[StepRow]) -> dict[str, float | None]:
    seconds: dict[str, float | None] = {}
    for step in steps:
        if step.status == TaskStatus.COMPLETED and step.started_at and step.finished_at:
            spent = (step.finished_at - step.started_at).total_seconds()
            seconds[step.kind] = round((seconds.get(step.kind) or 0.0) + spent, 3)
    if job.started_at is None or job.completed_at is None:
        return seconds | {"total_seconds": None}
    return seconds | {"total_seconds": round((job.completed_at - job.started_at).total_seconds(), 3)}


def _error(job: JobRow, steps: list[StepRow]) -> dict[str, Any] | None:
    if job.status != JobStatus.FAILED:
        return None
    failed = next((step for step in steps if step.name == job.failed_task), None)
    return {
        "code": job.error_code or "internal_error",
        "message": job.error_message or "",
        "failed_task": job.failed_task,
        "retry_count": max(0, failed.attempts - 1) if failed else 0,
    }
