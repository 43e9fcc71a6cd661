"""Counts: of jobs, of collections, of what a key asked for."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from .base import Model


class ProcessingMetrics(Model):
    """What completed jobs took. Efficiency is seconds of video per second of work."""

    total_processing_time_seconds: float = 0.0
    total_video_duration_seconds: float = 0.0
    average_processing_time_seconds: float = 0.0
    processing_efficiency: float = 0.0


class StorageUse(Model):
    """Bytes in storage; `quota_bytes` is None where there is no quota."""

    used_bytes: int = 0
    upload_bytes: int = 0
    output_bytes: int = 0
    quota_bytes: int | None = None


class JobStats(Model):
    """An owner's jobs in numbers. `success_rate` is in percent."""

    total_jobs: int
    status_breakdown: dict[str, int] = Field(default_factory=dict)
    success_rate: float = 0.0
    processing_metrics: ProcessingMetrics = ProcessingMetrics()
    storage: StorageUse = StorageUse()


class Collection(Model):
    """A name under which jobs are filed."""

    name: str
    jobs: int
    latest_at: datetime | None = None


class CollectionPage(Model):
    """One page of collections."""

    collections: list[Collection]
    total: int | None = None
    page: int = 1
    total_pages: int = 1


class Latency(Model):
    """Milliseconds until the answer began."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


class UsageCounts(Model):
    """Requests, those of them that were refused or failed, and bytes of bodies."""

    requests: int = 0
    errors: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    latency_ms: Latency = Latency()


class UsageRow(UsageCounts):
    """One group's counts; what it is not grouped by is None."""

    day: date | None = None
    key_id: str | None = None
    route: str | None = None


class Usage(Model):
    """What was asked of the server, both days included."""

    from_date: date
    to_date: date
    totals: UsageCounts
    usage: list[UsageRow] = Field(default_factory=list)


class Health(Model):
    """What the server says of itself."""

    status: str
