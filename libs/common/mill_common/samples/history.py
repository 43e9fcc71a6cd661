"""Samples as time series, thinned out by the database: a day of many machines is an answer of a bounded size."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, func, literal, select
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.intervals import step_of
from mill_common.models import SystemSample

POINTS = 288  # of each series: one for five minutes of a day
SERIES_MAX = 200


@dataclass(frozen=True)
class Point:
    """The means of a step in time."""

    at: datetime
    cpu_percent: float
    memory_percent: float
    disk_percent: float
    active_tasks: float
    scratch_bytes: int


@dataclass(frozen=True)
class Series:
    """One process's points, the oldest first."""

    service: str
    host: str
    pid: int
    points: list[Point]


def step_s(hours: int, sample_s: float) -> int:
    """Seconds that one point stands for."""
    return max(1, round(max(sample_s, hours * 3600 / POINTS)))


def sample_history(session: Session, *, hours: int, step: int, service: str | None = None) -> list[Series]:
    """The series of the last `hours`, a point for every `step` seconds; at most `SERIES_MAX` processes."""
    place = step_of(col(SystemSample.taken_at), literal(step)).label("place")
    who = (col(SystemSample.service), col(SystemSample.host), col(SystemSample.pid))
    values = (
        SystemSample.cpu_percent,
        SystemSample.memory_percent,
        SystemSample.disk_percent,
        SystemSample.active_tasks,
        SystemSample.scratch_bytes,
    )
    rows = select(*who, place, *(func.avg(col(value)) for value in values)).where(
        col(SystemSample.taken_at) > db_now(-3600.0 * hours)
    )
    if service is not None:
        rows = rows.where(col(SystemSample.service) == service)
    ordered = rows.group_by(*who, place).order_by(*who, place).limit(POINTS * SERIES_MAX)
    found: dict[tuple[str, str, int], list[Point]] = {}
    for row in session.execute(ordered):
        cpu, memory, disk, active, scratch = (float(value) for value in row[4:])
        at = datetime.fromtimestamp(row[3] * step, UTC)
        point = Point(at, round(cpu, 1), round(memory, 1), round(disk, 1), round(active, 2), round(scratch))
        found.setdefault(tuple(row[:3]), []).append(point)
    return [Series(*key, points) for key, points in found.items()]


def forget_samples(session: Session, *, keep_hours: int) -> int:
    """Remove what is older. Returns how many."""
    old = delete(SystemSample).where(col(SystemSample.taken_at) < db_now(-3600.0 * keep_hours))
    return int(session.execute(old).rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it
