"""What operators want of schedules."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.errors import MillError
from mill_common.runs.models import Schedule


class ScheduleNotFound(MillError):
    """There is no such schedule."""

    code = "schedule_not_found"
    status = 404


class SchedulePaused(MillError):
    """The schedule is paused; resume it first."""

    code = "schedule_paused"
    status = 409


def pause_schedule(session: Session, name: str, *, paused: bool) -> bool:
    """Have a schedule not fire, or fire again; a fire that it missed is made up for once. Returns what it was.

    Raises:
        ScheduleNotFound: There is no such schedule.
    """
    schedule = _locked(session, name)
    was = schedule.paused_at is not None
    session.execute(update(Schedule).where(col(Schedule.name) == name).values(paused_at=db_now() if paused else None))
    return was


def run_soon(session: Session, name: str) -> None:
    """Have the next watchdog that looks fire a schedule. Its next fire after that is the rule's.

    Raises:
        ScheduleNotFound: There is no such schedule.
        SchedulePaused: It does not fire.
    """
    if _locked(session, name).paused_at is not None:
        raise SchedulePaused
    session.execute(update(Schedule).where(col(Schedule.name) == name).values(next_at=db_now()))


def _locked(session: Session, name: str) -> Schedule:
    schedule = None if "\0" in name else session.get(Schedule, name, with_for_update=True)
    if schedule is None:
        raise ScheduleNotFound
    return schedule
