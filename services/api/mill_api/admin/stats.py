"""A3: the whole system in figures, or one collection of it."""

from __future__ import annotations

from collections import Counter

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import Session, col
from starlette.requests import Request

from mill_api.admin.cache import cache
from mill_api.admin.counts import task_counts
from mill_api.admin.percentiles import SAMPLE, Spread, spread
from mill_api.auth import VIEWER
from mill_api.fields import CollectionName, Time
from mill_api.openapi import operation
from mill_api.rate_limits import Rate
from mill_api.resources import resources
from mill_common.figures import JobCounts, TaskCounts, job_counts, upload_bytes
from mill_common.intervals import seconds_between
from mill_common.models import Job
from mill_common.runs.ledger import now
from mill_common.states import CLAIMABLE, JobStatus, TaskStatus

GB = 2**30


class StatsQuery(BaseModel):
    """Of what."""

    model_config = ConfigDict(extra="forbid")

    collection: CollectionName | None = Field(default=None, description="The jobs of this collection alone.")


class VideoFigures(BaseModel):
    """Videos, one for each job."""

    total: int
    by_status: dict[str, int]
    total_storage_bytes: int = Field(description="What was made of them.")
    total_duration_seconds: float


class TaskFigures(BaseModel):
    """The steps of all jobs."""

    total: int
    pending: int = Field(description="Queued or to be tried again.")
    by_status: dict[str, int]
    by_type: dict[str, int]
    avg_processing_time_seconds: float | None = Field(description="Of a job, from its first claim to its end.")
    processing_seconds: Spread = Field(description=f"The same, of the {SAMPLE} jobs that were completed last.")


class StorageFigures(BaseModel):
    """What storage holds."""

    total_bytes: int = Field(description="Outputs, and uploads unless of one collection.")
    total_gb: float = Field(description="The same in units of 2**30 bytes.")
    upload_bytes: int | None = Field(description="null for one collection: uploads belong to none.")
    proxy_count: int = Field(description="Videos of which renditions are published.")


class SystemStats(BaseModel):
    """The system in figures, as of `timestamp`."""

    collection: str | None
    videos: VideoFigures
    jobs: TaskFigures
    storage: StorageFigures
    timestamp: Time
    age_seconds: float


@operation(tag="admin", query=StatsQuery, returns=SystemStats, scope=VIEWER, rate=Rate.ADMIN_STATS)
def system_stats(request: Request, query: StatsQuery) -> SystemStats:
    """Count videos, tasks and bytes of all owners. A few seconds old at most; `age_seconds` says how old."""
    database = resources(request).database

    def reckon() -> SystemStats:
        # Let go of between the two, so that neither waits for the other's connection.
        counts = task_counts(request, query.collection).value
        with database.snapshot() as session:
            return _reckon(session, counts, query.collection)

    known = cache(request).get(("stats", query.collection), reckon)
    return known.value.model_copy(update={"age_seconds": round(known.age_s, 3)})


def _reckon(session: Session, counts: TaskCounts, collection: str | None) -> SystemStats:
    jobs = job_counts(session, collection)
    made = sum(counted.stored_bytes for counted in jobs.values())
    taken_in = upload_bytes(session) if collection is None else None
    took = _processing(session, collection)
    total_bytes = made + (taken_in or 0)
    return SystemStats(
        collection=collection,
        videos=VideoFigures(
            total=sum(counted.jobs for counted in jobs.values()),
            by_status={status.value: jobs.get(status, JobCounts()).jobs for status in JobStatus},
            total_storage_bytes=made,
            total_duration_seconds=round(sum(counted.video_s for counted in jobs.values()), 3),
        ),
        jobs=_tasks(counts, took),
        storage=StorageFigures(
            total_bytes=total_bytes,
            total_gb=round(total_bytes / GB, 2),
            upload_bytes=taken_in,
            proxy_count=jobs.get(JobStatus.COMPLETED, JobCounts()).jobs,
        ),
        timestamp=now(session),
        age_seconds=0.0,
    )


def _processing(session: Session, collection: str | None) -> Spread:
    wanted = [col(Job.collection) == collection] if collection is not None else []
    took = seconds_between(col(Job.started_at), col(Job.completed_at))
    ended = [*wanted, col(Job.status) == JobStatus.COMPLETED, col(Job.started_at).is_not(None)]
    latest = col(Job.id) if wanted else col(Job.completed_at)
    listed = select(took).where(*ended, col(Job.completed_at).is_not(None)).order_by(latest.desc()).limit(SAMPLE)
    return spread(float(seconds) for seconds in session.scalars(listed))


def _tasks(counts: TaskCounts, took: Spread) -> TaskFigures:
    by_status: Counter[str] = Counter()
    by_type: Counter[str] = Counter()
    for (status, kind), count in counts.items():
        by_status[status.value] += count
        by_type[kind] += count
    return TaskFigures(
        total=by_status.total(),
        pending=sum(by_status[status.value] for status in CLAIMABLE),
        by_status={status.value: by_status[status.value] for status in TaskStatus},
        by_type=dict(sorted(by_type.items())),
        avg_processing_time_seconds=took.mean,
        processing_seconds=took,
    )
