"""What is done when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mill_common.cleanup import delete_old_jobs, fail_stuck_jobs
from mill_common.resources import Resources
from mill_common.runs import Result, Run
from mill_common.speed_survey import measure_speeds
from mill_watchdog.alerts import prune_alerts
from mill_watchdog.figures import add_up
from mill_watchdog.orphans import delete_orphans
from mill_watchdog.samples import drop_old_samples
from mill_watchdog.uploads import expire_uploads
from mill_watchdog.usage import drop_old_usage
from mill_watchdog.webhooks.retention import forget_webhooks

REPAIRS = "queue_repairs"  # what the fast loop finds, added up by the hour


@dataclass(frozen=True)
class Sweep:
    """A name, a cron expression and what is done."""

    name: str
    cron: str
    work: Callable[[Resources, Run], Result]


SWEEPS = {
    sweep.name: sweep
    for sweep in (
        Sweep("stuck_jobs", "*/15 * * * *", fail_stuck_jobs),
        Sweep("old_jobs", "0 2 * * *", delete_old_jobs),
        Sweep("orphaned_objects", "30 3 * * *", delete_orphans),
        Sweep("step_speeds", "*/10 * * * *", measure_speeds),
        Sweep("expired_uploads", "*/10 * * * *", expire_uploads),
        Sweep("old_webhooks", "15 4 * * *", forget_webhooks),
        Sweep("figures", "*/5 * * * *", add_up),
        Sweep("old_samples", "20 * * * *", drop_old_samples),
        Sweep("old_usage", "45 4 * * *", drop_old_usage),
        Sweep("old_alerts", "*/10 * * * *", prune_alerts),
    )
}
