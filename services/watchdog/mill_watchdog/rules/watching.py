"""The watchdogs' own work: schedules that do not fire, runs that fail, notices that nobody takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select
from sqlmodel import col

from mill_common.alerts import Finding, Rule, View
from mill_common.alerts.ledger import failing_routes
from mill_common.models import AlertLevel
from mill_common.runs import RunStatus, Schedule, ScheduledRun, late_schedules

TRIES = 3  # a notice that was not taken so often


class ScheduleMissed(Rule):
    """A schedule's time came and nothing was done, or what is at work does not end. Not one that is paused."""

    type = "schedule_missed"

    def find(self, view: View) -> Iterator[Finding]:
        """One for each schedule."""
        limit = view.settings.alert_schedule_late_s
        for name, seconds in late_schedules(view.session, late_s=limit).items():
            due = view.now - timedelta(seconds=seconds)
            yield Finding(
                level=AlertLevel.ERROR,
                title=f"Schedule missed: {name}",
                message=f"{name} was due at {due:%Y-%m-%d %H:%M} UTC and has not been done.",
                labels={"schedule": name},
                details={"late_seconds": round(seconds), "threshold_seconds": limit},
            )


class ScheduleFailed(Rule):
    """The last run of a schedule that ended failed."""

    type = "schedule_failed"

    def find(self, view: View) -> Iterator[Finding]:
        """One for each schedule, until a run of it completes."""
        for name in view.session.scalars(select(col(Schedule.name)).order_by(col(Schedule.name))):
            ended = col(ScheduledRun.status) != RunStatus.RUNNING
            runs = select(ScheduledRun).where(col(ScheduledRun.schedule) == name, ended)
            last = view.session.scalars(runs.order_by(col(ScheduledRun.fire_at).desc()).limit(1)).first()
            if last is not None and last.status is RunStatus.FAILED:
                yield Finding(
                    level=AlertLevel.WARNING,
                    title=f"Schedule failed: {name}",
                    message=f"The last run of {name} failed: {last.error}",
                    labels={"schedule": name},
                    details={"run_id": str(last.id)},
                )


class NoticesFailing(Rule):
    """A route does not take its notices. Other routes hear of it."""

    type = "notices_failing"

    def find(self, view: View) -> Iterator[Finding]:
        """One for each route."""
        within_s = 2 * view.settings.alert_repeat_s  # something new is tried by then
        for route, count in failing_routes(view.session, attempts=TRIES, within_s=within_s).items():
            yield Finding(
                level=AlertLevel.ERROR,
                title=f"Notices not taken: {route}",
                message=f"{route} did not take {count} of its notices: see the list of notices.",
                labels={"route": route},
                details={"count": count},
            )
