"""M1 to M5: what is done on a schedule, at work and in the past."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from mill_api.auth import VIEWER
from mill_api.fields import LINE, Time
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.errors import PermanentError
from mill_common.runs import (
    HISTORY_MAX,
    RunStatus,
    RunView,
    ScheduleView,
    active_runs,
    one_run,
    run_history,
    run_summary,
)

REPAIRS = "queue_repairs"
_SAME = ("id", "status", "total_items", "items_processed", "items_succeeded", "items_failed", "worker", "started_at")
_MORE = ("finished_at", "progress_percent", "metadata", "error")


class RunNotFound(PermanentError):
    """There is no such run."""

    code = "run_not_found"
    status = 404


class HistoryQuery(BaseModel):
    """Which runs."""

    model_config = ConfigDict(extra="forbid")

    job_name: Annotated[str, Field(min_length=1, max_length=64, pattern=LINE)] | None = None
    limit: int = Field(default=20, ge=1, le=HISTORY_MAX)


class RunItem(BaseModel):
    """A run of a schedule. Durations are seconds; what cannot be known yet is null."""

    id: UUID
    job_name: str
    job_type: str = Field(description="`repair` for what is mended all the time, `sweep` for everything else.")
    status: RunStatus
    total_items: int | None
    items_processed: int
    items_succeeded: int
    items_failed: int
    progress_percent: float | None
    worker: str
    started_at: Time
    finished_at: Time | None
    elapsed_seconds: float
    estimated_remaining_seconds: float | None
    items_per_second: float | None
    metadata: dict[str, Any]
    error: str | None


class RunList(BaseModel):
    """Runs, the latest first."""

    jobs: list[RunItem]


class ScheduleSummary(BaseModel):
    """A schedule's latest run and its next."""

    last_run: Time | None
    status: str = Field(description="Of the latest run; `never_run` before the first.")
    progress: str | None = Field(description="While it runs: `1523/2847 (53.5%)`.")
    duration_seconds: float | None
    next_scheduled: Time | None = Field(description="null while it is paused, and for what only runs on demand.")
    error: str | None


class RunSummary(BaseModel):
    """Everything that is done on a schedule or on demand, by name."""

    summary: dict[str, ScheduleSummary]


@operation(tag="monitoring", returns=RunList, scope=VIEWER)
def list_active_runs(request: Request) -> RunList:
    """List the runs at work."""
    with resources(request).database.read() as session:
        return RunList(jobs=[_item(run) for run in active_runs(session)])


@operation(tag="monitoring", query=HistoryQuery, returns=RunList, scope=VIEWER)
def list_run_history(request: Request, query: HistoryQuery) -> RunList:
    """List the latest runs, of one schedule if it is named."""
    with resources(request).database.read() as session:
        found = run_history(session, schedule=query.job_name, limit=query.limit)
    return RunList(jobs=[_item(run) for run in found])


@operation(tag="monitoring", returns=RunSummary, scope=VIEWER)
def summarise_runs(request: Request) -> RunSummary:
    """Show each schedule's latest run and when it runs next."""
    with resources(request).database.read() as session:
        found = run_summary(session)
    return RunSummary(summary={name: _summary(schedule) for name, schedule in found.items()})


@operation(tag="monitoring", returns=RunItem, raises=[RunNotFound], scope=VIEWER)
def get_run(request: Request, run_id: UUID) -> RunItem:
    """Look at one run."""
    with resources(request).database.read() as session:
        run = one_run(session, run_id)
    if run is None:
        raise RunNotFound
    return _item(run)


def _item(run: RunView) -> RunItem:
    return RunItem(
        **{name: getattr(run, name) for name in (*_SAME, *_MORE)},
        job_name=run.schedule,
        job_type="repair" if run.schedule == REPAIRS else "sweep",
        elapsed_seconds=round(run.elapsed_seconds, 3),
        estimated_remaining_seconds=_rounded(run.estimated_remaining_seconds, 1),
        items_per_second=_rounded(run.items_per_second, 3),
    )


def _summary(schedule: ScheduleView) -> ScheduleSummary:
    run = schedule.latest
    return ScheduleSummary(
        last_run=run.started_at if run else None,
        status=run.status.value if run else "never_run",
        progress=_progress(run) if run and run.status is RunStatus.RUNNING else None,
        duration_seconds=round(run.elapsed_seconds, 3) if run else None,
        next_scheduled=schedule.next_scheduled,
        error=run.error if run else None,
    )


def _progress(run: RunView) -> str:
    if run.total_items is None or run.progress_percent is None:
        return str(run.items_processed)
    return f"{run.items_processed}/{run.total_items} ({run.progress_percent:.1f}%)"


def _rounded(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places)
