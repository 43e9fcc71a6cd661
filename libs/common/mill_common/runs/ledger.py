"""Runs are begun, kept alive, taken over and ended: each one statement or one short transaction.

A run belongs to one watchdog at a time, by the same means as a task belongs to one worker: a lease in the database's
time, and an epoch that fences every later write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.errors import LeaseLost
from mill_common.queue.text import storable, storable_text
from mill_common.runs.models import RunStatus, Schedule, ScheduledRun

MAX_EPOCHS = 3  # a run that outlived so many watchdogs is what they died of
PARAMETERS = "parameters"
ERROR_LENGTH = 2000


@dataclass(frozen=True, kw_only=True)
class RunClaim:
    """One watchdog's right to do one run."""

    id: UUID
    schedule: str
    fire_at: datetime
    epoch: int
    worker: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How far a run is."""

    total: int | None = None
    succeeded: int = 0
    failed: int = 0


def register(session: Session, name: str, *, cron: str, timezone: str, next_at: datetime) -> None:
    """Write a schedule down, or its new rule. One that is known by the same rule keeps the time it fires next."""
    schedule = session.get(Schedule, name, with_for_update=True)
    if schedule is None:
        session.add(Schedule(name=name, cron=cron, timezone=timezone, next_at=next_at))
    elif (schedule.cron, schedule.timezone) != (cron, timezone):
        schedule.cron, schedule.timezone, schedule.next_at = cron, timezone, next_at


def due(session: Session) -> list[str]:
    """The schedules whose time has come, that are not paused, and of which no run is at work."""
    at_work = select(col(ScheduledRun.id)).where(
        col(ScheduledRun.schedule) == col(Schedule.name), col(ScheduledRun.status) == RunStatus.RUNNING
    )
    names = select(col(Schedule.name)).where(
        col(Schedule.next_at) <= db_now(), col(Schedule.paused_at).is_(None), ~at_work.exists()
    )
    return list(session.scalars(names.order_by(col(Schedule.next_at))).all())


def fire(
    session: Session, name: str, *, worker: str, lease_s: float, next_after: Callable[[datetime], datetime]
) -> RunClaim | None:
    """Begin the run that is due, or None if another watchdog was first.

    However many fires were missed, there is one run for all of them: `next_after` counts from now.
    """
    waiting = select(Schedule).where(col(Schedule.name) == name).with_for_update(skip_locked=True)
    schedule = session.scalars(waiting).one_or_none()
    if schedule is None or name not in due(session):
        return None
    fire_at = schedule.next_at
    schedule.next_at = next_after(now(session))
    return _begin(session, name, fire_at, worker=worker, lease_s=lease_s, parameters={})


def begin_now(
    session: Session, name: str, *, worker: str, lease_s: float, parameters: Mapping[str, Any] | None = None
) -> RunClaim:
    """Begin a run that somebody asked for. The schedule's own next fire stays where it is."""
    return _begin(session, name, now(session), worker=worker, lease_s=lease_s, parameters=parameters or {})


def take_over(session: Session, *, worker: str, lease_s: float) -> RunClaim | None:
    """Take a run whose watchdog has died, the oldest first; None if there is none.

    A run that was taken over too often has failed instead.
    """
    dead = (
        select(ScheduledRun)
        .where(col(ScheduledRun.status) == RunStatus.RUNNING, col(ScheduledRun.lease_until) < db_now())
        .order_by(col(ScheduledRun.lease_until))
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    run = session.scalars(dead).one_or_none()
    if run is None:
        return None
    this = col(ScheduledRun.id) == run.id
    if run.epoch >= MAX_EPOCHS:
        error = f"{MAX_EPOCHS} watchdogs were not heard of again while they did it."
        session.execute(update(ScheduledRun).where(this).values(**_ended(RunStatus.FAILED), error=error))
        return None
    taken = {"epoch": run.epoch + 1, "worker": worker, "lease_until": db_now(lease_s), "heartbeat_at": db_now()}
    session.execute(update(ScheduledRun).where(this).values(**taken, **_columns(Counts())))
    return _claim(run, epoch=run.epoch + 1, worker=worker)


def renew(session: Session, claim: RunClaim, counts: Counts, *, lease_s: float) -> None:
    """Keep a run, and say how far it is.

    Raises:
        LeaseLost: Another watchdog has it by now; nothing was written.
    """
    _write(session, claim, heartbeat_at=db_now(), lease_until=db_now(lease_s), **_columns(counts))


def complete(session: Session, claim: RunClaim, counts: Counts, result: Mapping[str, Any]) -> None:
    """End a run with what came of it. Raises `LeaseLost`."""
    details = storable({**_parameters(claim.parameters), **result})
    _write(session, claim, **_ended(RunStatus.COMPLETED), **_columns(counts), details=details)


def fail(session: Session, claim: RunClaim, counts: Counts, error: str) -> None:
    """End a run that could not go on. Raises `LeaseLost`."""
    said = storable_text(error, ERROR_LENGTH)
    _write(session, claim, **_ended(RunStatus.FAILED), **_columns(counts), error=said)


def hand_back(session: Session, claim: RunClaim) -> None:
    """Let another watchdog take the run over at once. Raises `LeaseLost`."""
    _write(session, claim, lease_until=db_now(-1.0))


def now(session: Session) -> datetime:
    """The database's time."""
    at: datetime = session.execute(select(db_now())).scalar_one()
    return at


def _begin(
    session: Session, name: str, fire_at: datetime, *, worker: str, lease_s: float, parameters: Mapping[str, Any]
) -> RunClaim:
    run = ScheduledRun(schedule=name, fire_at=fire_at, worker=worker, details=_parameters(parameters))
    session.add(run)
    session.flush()
    session.execute(update(ScheduledRun).where(col(ScheduledRun.id) == run.id).values(lease_until=db_now(lease_s)))
    return _claim(run, epoch=1, worker=worker)


def _claim(run: ScheduledRun, *, epoch: int, worker: str) -> RunClaim:
    parameters = run.details.get(PARAMETERS, {})
    return RunClaim(
        id=run.id, schedule=run.schedule, fire_at=run.fire_at, epoch=epoch, worker=worker, parameters=parameters
    )


def _parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {PARAMETERS: dict(parameters)} if parameters else {}


def _held(claim: RunClaim) -> ColumnElement[bool]:
    this = (col(ScheduledRun.id) == claim.id) & (col(ScheduledRun.epoch) == claim.epoch)
    return this & (col(ScheduledRun.status) == RunStatus.RUNNING)


def _write(session: Session, claim: RunClaim, **values: Any) -> None:
    written = update(ScheduledRun).where(_held(claim)).values(**values).returning(col(ScheduledRun.id))
    if session.execute(written).first() is None:
        raise LeaseLost


def _ended(status: RunStatus) -> dict[str, Any]:
    return {"status": status, "finished_at": db_now(), "lease_until": None}


def _columns(counts: Counts) -> dict[str, Any]:
    return {
        "total_items": counts.total,
        "items_processed": counts.succeeded + counts.failed,
        "items_succeeded": counts.succeeded,
        "items_failed": counts.failed,
    }
