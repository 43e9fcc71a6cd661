"""What became of an owner's jobs, in figures."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlmodel import Session, col
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.fields import Time
from mill_api.jobs.filters import DateRange, created_within
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_api.storage_use import StorageUse, storage_use
from mill_common.intervals import seconds_between
from mill_common.models import Job
from mill_common.states import JobStatus


class ProcessingMetrics(BaseModel):
    """What completed jobs took, from the first claim to the end."""

    total_processing_time_seconds: float
    total_processing_time_hours: float
    total_video_duration_seconds: float
    total_video_duration_hours: float
    average_processing_time_seconds: float
    processing_efficiency: float = Field(
        description="Seconds of video made in a second of processing, in percent: above 100 is faster than it plays."
    )


class DatesGiven(BaseModel):
    """The range that the figures are of."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_: Time | None = Field(alias="from")
    to: Time | None


class JobStats(BaseModel):
    """An owner's jobs in figures. The storage is what is used now, whatever the range."""

    total_jobs: int
    status_breakdown: dict[JobStatus, int]
    success_rate: float = Field(description="Completed jobs in percent of all.")
    processing_metrics: ProcessingMetrics
    storage: StorageUse
    date_range: DatesGiven


@operation(tag="jobs", query=DateRange, returns=JobStats)
def job_stats(request: Request, query: DateRange) -> JobStats:
    """Count jobs by status, what they took, and what storage holds."""
    owner_id = caller(request).owner_id
    with resources(request).database.read() as session:
        counted = _counted(session, owner_id, query)
        storage = storage_use(session, owner_id, resources(request).settings)
    counts = {status: counted[status].jobs if status in counted else 0 for status in JobStatus}
    total = sum(counts.values())
    return JobStats(
        total_jobs=total,
        status_breakdown=counts,
        success_rate=_percent(counts[JobStatus.COMPLETED], total),
        processing_metrics=_metrics(counted.get(JobStatus.COMPLETED)),
        storage=storage,
        date_range=DatesGiven(**{"from": query.from_date, "to": query.to_date}),
    )


def _counted(session: Session, owner_id: str, query: DateRange) -> dict[JobStatus, Any]:
    by_status = select(
        col(Job.status),
        func.count().label("jobs"),
        func.sum(seconds_between(col(Job.started_at), col(Job.completed_at))).label("processing_s"),
        func.sum(Job.duration_s).label("video_s"),
    )
    wanted = [col(Job.owner_id) == owner_id, *created_within(query)]
    rows = session.execute(by_status.where(*wanted).group_by(col(Job.status))).all()
    return {row.status: row for row in rows}


def _metrics(completed: Any) -> ProcessingMetrics:
    jobs, processing_s, video_s = (
        (completed.jobs, completed.processing_s, completed.video_s) if completed else (0, 0, 0)
    )
    took, lasted = float(processing_s or 0), float(video_s or 0)
    return ProcessingMetrics(
        total_processing_time_seconds=round(took, 3),
        total_processing_time_hours=round(took / 3600, 2),
        total_video_duration_seconds=round(lasted, 3),
        total_video_duration_hours=round(lasted / 3600, 2),
        average_processing_time_seconds=round(took / jobs, 2) if jobs else 0.0,
        processing_efficiency=_percent(lasted, took),
    )


def _percent(part: float, whole: float) -> float:
    return round(100.0 * part / whole, 2) if whole > 0 else 0.0
