"""What is asked of runs: those at work, those that were, and each schedule's latest with its next."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.intervals import seconds_between
from mill_common.runs.ledger import now
from mill_common.runs.models import RunStatus, Schedule, ScheduledRun

HISTORY = 20
HISTORY_MAX = 100
_TURN_MAX_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class RunView:
    """A run as it is shown. Times are UTC, durations seconds; what cannot be known yet is None."""

    id: UUID
    schedule: str
    fire_at: datetime
    status: RunStatus
    worker: str
    total_items: int | None
    items_processed: int
    items_succeeded: int
    items_failed: int
    progress_percent: float | None
    started_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None
    elapsed_seconds: float
    estimated_remaining_seconds: float | None
    items_per_second: float | None
    metadata: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class ScheduleView:
    """A schedule with its latest run. One that is no schedule, but only runs on demand, has no cron and no next run."""

    name: str
    cron: str | None
    timezone: str | None
    next_scheduled: datetime | None
    latest: RunView | None
    paused: bool = False  # by an operator: then there is no next run


def active_runs(session: Session) -> list[RunView]:
    """The runs at work, the latest first."""
    at_work = select(ScheduledRun).where(col(ScheduledRun.status) == RunStatus.RUNNING)
    return _views(session, at_work.order_by(col(ScheduledRun.started_at).desc(), col(ScheduledRun.id).desc()))


def run_history(session: Session, *, schedule: str | None = None, limit: int = HISTORY) -> list[RunView]:
    """The latest runs, of one schedule if it is named; `HISTORY_MAX` at most."""
    runs = select(ScheduledRun).order_by(col(ScheduledRun.started_at).desc(), col(ScheduledRun.id).desc())
    if schedule is not None:
        runs = runs.where(col(ScheduledRun.schedule) == schedule)
    return _views(session, runs.limit(max(0, min(limit, HISTORY_MAX))))


def run_summary(session: Session) -> dict[str, ScheduleView]:
    """Everything that is done on a schedule or on demand, by name, with its latest run and its next fire."""
    place = func.row_number().over(
        partition_by=col(ScheduledRun.schedule),
        order_by=(col(ScheduledRun.started_at).desc(), col(ScheduledRun.id).desc()),
    )
    placed = select(col(ScheduledRun.id), place.label("place")).subquery()
    first = select(placed.c.id).where(placed.c.place == 1)
    latest = {
        view.schedule: view for view in _views(session, select(ScheduledRun).where(col(ScheduledRun.id).in_(first)))
    }
    schedules = {row.name: row for row in session.scalars(select(Schedule))}
    return {name: _schedule(name, schedules.get(name), latest.get(name)) for name in sorted({*schedules, *latest})}


def late_schedules(session: Session, *, late_s: float) -> dict[str, float]:
    """The schedules that are overdue by more than `late_s` seconds, with by how many.

    Not those that are paused, and none while a run is at work: they wait for their turn, for a day at most.
    """
    at_work = select(col(ScheduledRun.id)).where(
        col(ScheduledRun.status) == RunStatus.RUNNING,
        col(ScheduledRun.lease_until) > db_now(),
        col(ScheduledRun.started_at) > db_now(-_TURN_MAX_S),
    )
    if session.scalar(at_work.limit(1)) is not None:
        return {}
    late = (col(Schedule.next_at) < db_now(-late_s)) & col(Schedule.paused_at).is_(None)
    by_s = seconds_between(col(Schedule.next_at), db_now())
    found = select(col(Schedule.name), by_s).where(late).order_by(col(Schedule.name))
    return {name: round(seconds, 1) for name, seconds in session.execute(found)}


def one_run(session: Session, run_id: UUID) -> RunView | None:
    """A run, or None if there is none of that id."""
    return next(iter(_views(session, select(ScheduledRun).where(col(ScheduledRun.id) == run_id))), None)


def forget_runs(session: Session, *, keep_days: int) -> int:
    """Remove runs that ended more than `keep_days` days ago. Returns how many."""
    old = delete(ScheduledRun).where(col(ScheduledRun.finished_at) < db_now(-86400.0 * keep_days))
    return len(session.execute(old.returning(col(ScheduledRun.id))).all())


def _views(session: Session, runs: Any) -> list[RunView]:
    rows = session.scalars(runs).all()
    at = now(session)
    return [_view(row, at) for row in rows]


def _view(run: ScheduledRun, at: datetime) -> RunView:
    elapsed = max(((run.finished_at or at) - run.started_at) / timedelta(seconds=1), 0.0)
    rate = run.items_processed / elapsed if elapsed and run.items_processed else None
    left = None if run.total_items is None else max(run.total_items - run.items_processed, 0)
    remaining = left / rate if run.status is RunStatus.RUNNING and left is not None and rate else None
    return RunView(
        **{name: getattr(run, name) for name in _SHOWN},
        progress_percent=_percent(run),
        elapsed_seconds=elapsed,
        estimated_remaining_seconds=remaining,
        items_per_second=rate,
        metadata=run.details,
    )


_SHOWN = [
    "id",
    "schedule",
    "fire_at",
    "status",
    "worker",
    "total_items",
    "items_processed",
    "items_succeeded",
    "items_failed",
    "started_at",
    "heartbeat_at",
    "finished_at",
    "error",
]


def _percent(run: ScheduledRun) -> float | None:
    if run.status is RunStatus.COMPLETED:
        return 100.0
    if run.total_items is None:
        return None
    return round(100.0 * run.items_processed / run.total_items, 1) if run.total_items else 0.0


def _schedule(name: str, schedule: Schedule | None, latest: RunView | None) -> ScheduleView:
    if schedule is None:
        return ScheduleView(name=name, cron=None, timezone=None, next_scheduled=None, latest=latest)
    is_paused = schedule.paused_at is not None
    following = None if is_paused else schedule.next_at
    rule = {"cron": schedule.cron, "timezone": schedule.timezone}
    return ScheduleView(name=name, **rule, next_scheduled=following, latest=latest, paused=is_paused)
