"""Sentry is told when a schedule's run begins and how it ends; it raises the alarm when one does not come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import sentry_sdk
from sentry_sdk.crons import capture_checkin
from sentry_sdk.crons.consts import MonitorStatus

from mill_common.database import Database
from mill_common.runs import RunClaim, RunStatus, ScheduledRun
from mill_watchdog.cron import Cron

MARGIN_MINUTES = 10
LONGEST_MINUTES = 6 * 60


@contextmanager
def checked_in(database: Database, claim: RunClaim, cron: Cron) -> Iterator[None]:
    """Around a run. The check-in bears the run's id, so another watchdog that takes the run over goes on with it."""
    if not sentry_sdk.is_initialized():
        yield
        return
    check_in = claim.id.hex
    capture_checkin(
        monitor_slug=claim.schedule,
        check_in_id=check_in,
        status=MonitorStatus.IN_PROGRESS,
        monitor_config={
            "schedule": {"type": "crontab", "value": cron.expression},
            "timezone": cron.timezone,
            "checkin_margin": MARGIN_MINUTES,
            "max_runtime": LONGEST_MINUTES,
        },
    )
    try:
        yield
    finally:
        ended = _ended(database, claim)
        if ended is not None:
            status, took = ended
            said = MonitorStatus.OK if status is RunStatus.COMPLETED else MonitorStatus.ERROR
            capture_checkin(claim.schedule, check_in, said, duration=took.total_seconds())


def _ended(database: Database, claim: RunClaim) -> tuple[RunStatus, timedelta] | None:
    """How the run ended and what it took; None if somebody else goes on with it."""
    with database.read() as session:
        run = session.get(ScheduledRun, claim.id)
    if run is None or run.finished_at is None:
        return None
    return run.status, run.finished_at - run.started_at
