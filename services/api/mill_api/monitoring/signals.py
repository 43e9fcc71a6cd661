"""What operators see of a running system, and how much it logs."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import Response

from mill_api.audit import record
from mill_api.auth import ADMIN, VIEWER
from mill_api.fields import LINE
from mill_api.openapi import operation
from mill_api.resources import resources, signs
from mill_common.metrics import CONTENT_TYPE
from mill_common.runtime_settings import LOG_LEVEL, choose, chosen
from mill_common.samples import Point, Series, sample_history, step_s

log = structlog.get_logger(__name__)

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class SamplesQuery(BaseModel):
    """Which samples."""

    model_config = ConfigDict(extra="forbid")

    hours: Annotated[int, Field(ge=1, le=744)] = 24
    service: Annotated[str, Field(min_length=1, max_length=32, pattern=LINE)] | None = None


class SampleView(BaseModel):
    """The means of a step in time."""

    timestamp: datetime
    cpu_usage_percent: float
    memory_usage_percent: float
    disk_usage_percent: float
    active_sessions: float = Field(description="Tasks that the process ran.")
    temp_directory_size_bytes: int


class SeriesView(BaseModel):
    """One process."""

    service: str
    host: str
    process_id: int
    samples: list[SampleView]


class SystemMetrics(BaseModel):
    """CPU, memory, disk and scratch of every process's machine, over time."""

    hours: int
    step_seconds: int = Field(description="What one sample stands for.")
    series: list[SeriesView]


class LogLevel(BaseModel):
    """From which level on lines go to standard error."""

    model_config = ConfigDict(extra="forbid")

    level: Level | None = Field(description="For every process; null: each goes by its own `MILL_LOG_LEVEL`.")


@operation(tag="monitoring", scope=VIEWER, produces="text/plain")
def metrics(request: Request) -> Response:
    """Show this process's metrics and the system's, in Prometheus' text format."""
    return Response(signs(request).exposition.page(), headers={"Content-Type": CONTENT_TYPE})


@operation(tag="monitoring", scope=VIEWER, query=SamplesQuery, returns=SystemMetrics)
def system_metrics(request: Request, query: SamplesQuery) -> SystemMetrics:
    """Show how busy and full the machines were."""
    step = step_s(query.hours, resources(request).settings.sample_s)
    with resources(request).database.read() as session:
        series = sample_history(session, hours=query.hours, step=step, service=query.service)
    return SystemMetrics(hours=query.hours, step_seconds=step, series=[_series(one) for one in series])


@operation(tag="admin", scope=VIEWER, returns=LogLevel)
def get_log_level(request: Request) -> LogLevel:
    """Show what was chosen."""
    with resources(request).database.read() as session:
        return LogLevel.model_validate({"level": chosen(session, LOG_LEVEL)})


@operation(tag="admin", scope=ADMIN, body=LogLevel, returns=LogLevel)
def set_log_level(request: Request, body: LogLevel) -> LogLevel:
    """Choose how much every process logs. They follow within seconds."""

    def change(session: Session) -> None:
        before = chosen(session, LOG_LEVEL)
        choose(session, LOG_LEVEL, body.level)
        record(session, request, target=LOG_LEVEL, before={"level": before}, after=body.model_dump())

    resources(request).database.run(change)
    log.warning("log_level_chosen", chosen=body.level)
    return body


def _series(series: Series) -> SeriesView:
    samples = [_sample(point) for point in series.points]
    return SeriesView(service=series.service, host=series.host, process_id=series.pid, samples=samples)


def _sample(point: Point) -> SampleView:
    return SampleView(
        timestamp=point.at,
        cpu_usage_percent=point.cpu_percent,
        memory_usage_percent=point.memory_percent,
        disk_usage_percent=point.disk_percent,
        active_sessions=point.active_tasks,
        temp_directory_size_bytes=point.scratch_bytes,
    )
