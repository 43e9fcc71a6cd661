"""Schedules: a watchdog fires them, and they succeed."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.health.report import Finding, Status
from mill_common.runs import late_schedules
from mill_common.runs.models import RunStatus, Schedule, ScheduledRun

LATE_S = 300.0
DEAD_S = 3600.0
DAY_S = 86_400.0


def schedules_finding(database: Database) -> Finding:
    """What is due and not done, and what failed within a day."""
    with database.read() as session:
        late = late_schedules(session, late_s=LATE_S)
        count = session.scalar(select(func.count()).select_from(Schedule)) or 0
        failed = _failed(session)
    details = {"schedules": count, "late_seconds": late, "failed_last_24_hours": failed}
    if not count:
        return Finding(status=Status.WARNING, message="no watchdog has been here yet", details=details)
    if late:
        worst_s = max(late.values())
        status = Status.CRITICAL if worst_s >= DEAD_S else Status.DEGRADED
        names = ", ".join(sorted(late))
        message = f"no watchdog has fired what is due: {names} since {worst_s:.0f} s"
        return Finding(status=status, message=message, details=details)
    if failed:
        return Finding(status=Status.WARNING, message=f"failed within a day: {', '.join(failed)}", details=details)
    return Finding(status=Status.HEALTHY, message="every schedule is kept", details=details)


def _failed(session: Session) -> dict[str, int]:
    lately = (col(ScheduledRun.started_at) > db_now(-DAY_S)) & (col(ScheduledRun.status) == RunStatus.FAILED)
    counted = select(col(ScheduledRun.schedule), func.count()).where(lately).group_by(col(ScheduledRun.schedule))
    return {row[0]: row[1] for row in session.execute(counted)}
