"""Schedules: what is done when, now if asked, and not at all while paused."""

from __future__ import annotations

from pydantic import BaseModel, Field
from sqlmodel import Session
from starlette.requests import Request

from mill_api.audit import record
from mill_api.auth import OPERATOR, VIEWER
from mill_api.fields import Time
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.runs import ScheduleView, run_summary
from mill_common.runs.wishes import ScheduleNotFound, SchedulePaused, pause_schedule, run_soon


class ScheduleItem(BaseModel):
    """A schedule with its latest run."""

    name: str
    cron: str
    timezone: str
    paused: bool
    next_scheduled: Time | None = Field(description="null while it is paused.")
    last_run: Time | None
    last_status: str | None


class ScheduleList(BaseModel):
    """Every schedule, by name."""

    schedules: list[ScheduleItem]


@operation(tag="admin", returns=ScheduleList, scope=VIEWER)
def list_schedules(request: Request) -> ScheduleList:
    """List schedules with when they run next."""
    with resources(request).database.read() as session:
        found = run_summary(session).values()
    return ScheduleList(schedules=[_item(schedule) for schedule in found if schedule.cron is not None])


@operation(tag="admin", status=202, returns=ScheduleItem, raises=[ScheduleNotFound, SchedulePaused], scope=OPERATOR)
def run_schedule(request: Request, schedule: str) -> ScheduleItem:
    """Have a schedule run now. The next watchdog that looks begins it within seconds."""

    def work(session: Session) -> ScheduleItem:
        run_soon(session, schedule)
        record(session, request, target=f"schedule:{schedule}")
        return _one(session, schedule)

    return resources(request).database.run(work)


@operation(tag="admin", returns=ScheduleItem, raises=[ScheduleNotFound], scope=OPERATOR)
def pause_schedule_now(request: Request, schedule: str) -> ScheduleItem:
    """Have a schedule not run until it is resumed."""
    return _pause(request, schedule, paused=True)


@operation(tag="admin", returns=ScheduleItem, raises=[ScheduleNotFound], scope=OPERATOR)
def resume_schedule(request: Request, schedule: str) -> ScheduleItem:
    """Let a schedule run again; what it missed is made up for once."""
    return _pause(request, schedule, paused=False)


def _pause(request: Request, schedule: str, *, paused: bool) -> ScheduleItem:
    def work(session: Session) -> ScheduleItem:
        was = pause_schedule(session, schedule, paused=paused)
        record(session, request, target=f"schedule:{schedule}", before={"paused": was}, after={"paused": paused})
        return _one(session, schedule)

    return resources(request).database.run(work)


def _one(session: Session, name: str) -> ScheduleItem:
    session.flush()
    session.expire_all()
    return _item(run_summary(session)[name])


def _item(schedule: ScheduleView) -> ScheduleItem:
    latest = schedule.latest
    return ScheduleItem(
        name=schedule.name,
        cron=schedule.cron or "",
        timezone=schedule.timezone or "",
        paused=schedule.paused,
        next_scheduled=schedule.next_scheduled,
        last_run=latest.started_at if latest else None,
        last_status=latest.status if latest else None,
    )
