"""The week in figures, for programs and for people."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from html import escape
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlmodel import Session, col
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from mill_api.admin.cache import cache
from mill_api.auth import VIEWER
from mill_api.fields import Time
from mill_api.monitoring.figures import processing_stats
from mill_api.monitoring.figures_view import ProcessingStats
from mill_api.openapi import operation
from mill_api.rate_limits import Rate
from mill_api.resources import resources
from mill_common.models import Job
from mill_common.runs.ledger import now
from mill_common.states import JOB_ENDED

TOP = 10


class ReportQuery(BaseModel):
    """How many days."""

    model_config = ConfigDict(extra="forbid")

    days: int = Field(default=7, ge=1, le=31)


class DayFigures(BaseModel):
    """The jobs that ended on one day, in UTC."""

    day: date
    completed: int
    failed: int
    cancelled: int
    video_seconds: float = Field(description="Of those that were completed.")


class OwnerFigures(BaseModel):
    """An owner's jobs that ended."""

    owner: str
    jobs: int
    failed: int


class Report(BaseModel):
    """What became of jobs, and what their tasks took."""

    from_date: Time
    to_date: Time
    days: list[DayFigures]
    owners: list[OwnerFigures] = Field(description=f"The {TOP} with the most jobs.")
    processing: ProcessingStats


@operation(tag="monitoring", query=ReportQuery, returns=Report, scope=VIEWER, rate=Rate.ADMIN_STATS)
def weekly_report(request: Request, query: ReportQuery) -> Report:
    """Report on the last days, today included: jobs by day and owner, tasks by stage, errors by code."""
    return _report(request, query.days)


@operation(tag="monitoring", query=ReportQuery, produces="text/html", scope=VIEWER, rate=Rate.ADMIN_STATS)
def weekly_report_page(request: Request, query: ReportQuery) -> Response:
    """Show the same report as a page that can be mailed."""
    return HTMLResponse(_page(_report(request, query.days)))


def _report(request: Request, days: int) -> Report:
    wired = resources(request)

    def reckon() -> Report:
        with wired.database.snapshot() as session:
            return _reckon(session, days)

    return cache(request).get(("report", days), reckon).value


def _reckon(session: Session, days: int) -> Report:
    until = now(session)
    today = until.replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=days - 1)
    return Report(
        from_date=first,
        to_date=until,
        days=[_day(session, first + timedelta(days=number)) for number in range(days)],
        owners=_owners(session, first),
        processing=processing_stats(session, days * 24),
    )


def _day(session: Session, day: datetime) -> DayFigures:
    ended = col(Job.completed_at)
    counted = select(col(Job.status), func.count(), func.coalesce(func.sum(Job.duration_s), 0.0))
    rows = session.execute(counted.where(ended >= day, ended < day + timedelta(days=1)).group_by(col(Job.status))).all()
    found = {status.value: (count, float(seconds)) for status, count, seconds in rows}
    counts = {status.value: found.get(status.value, (0, 0.0))[0] for status in JOB_ENDED}
    return DayFigures(day=day.date(), video_seconds=round(found.get("completed", (0, 0.0))[1], 3), **counts)


def _owners(session: Session, first: datetime) -> list[OwnerFigures]:
    failed = func.count().filter(col(Job.status) == "failed")
    counted = select(col(Job.owner_id), func.count(), failed).where(col(Job.completed_at) >= first)
    rows = session.execute(
        counted.group_by(col(Job.owner_id)).order_by(func.count().desc(), col(Job.owner_id)).limit(TOP)
    )
    return [OwnerFigures(owner=owner, jobs=jobs, failed=count) for owner, jobs, count in rows]


def _page(report: Report) -> str:
    figures = report.processing
    stages: list[list[Any]] = [
        [kind, stage.total_operations, stage.failed_operations, stage.duration_seconds.p50, stage.duration_seconds.p95]
        for kind, stage in figures.stages.items()
    ]
    days = [[each.day, each.completed, each.failed, each.cancelled, each.video_seconds] for each in report.days]
    parts = [
        _table("Jobs by day", ["Day", "Completed", "Failed", "Cancelled", "Video, s"], days),
        _table("Owners", ["Owner", "Jobs", "Failed"], [[each.owner, each.jobs, each.failed] for each in report.owners]),
        _table("Stages", ["Stage", "Attempts", "Failed", "Median, s", "95th percentile, s"], stages),
        _table("Errors", ["Code", "Failures"], [list(each) for each in figures.errors.items()]),
    ]
    title = f"Mediamill, {report.from_date:%Y-%m-%d} to {report.to_date:%Y-%m-%d}"
    head = f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>'
    return f"{head}\n<body><h1>{title}</h1>\n{''.join(parts)}</body></html>\n"


def _table(title: str, names: list[str], rows: list[list[Any]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>\n" for row in rows)
    return f"<h2>{escape(title)}</h2>\n<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>\n"


def _cell(value: Any) -> str:
    return "–" if value is None else escape(str(value))
