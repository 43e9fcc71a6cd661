"""What is done on a schedule: when it is due, who does it, how far it is and what came of it."""

from mill_common.runs.hourly import add_to_hour
from mill_common.runs.ledger import RunClaim, begin_now, due, fire, register, take_over
from mill_common.runs.models import RunStatus, Schedule, ScheduledRun
from mill_common.runs.queries import (
    HISTORY_MAX,
    RunView,
    ScheduleView,
    active_runs,
    forget_runs,
    late_schedules,
    one_run,
    run_history,
    run_summary,
)
from mill_common.runs.running import Result, Run, do

__all__ = [
    "HISTORY_MAX",
    "Result",
    "Run",
    "RunClaim",
    "RunStatus",
    "RunView",
    "Schedule",
    "ScheduleView",
    "ScheduledRun",
    "active_runs",
    "add_to_hour",
    "begin_now",
    "do",
    "due",
    "fire",
    "forget_runs",
    "late_schedules",
    "one_run",
    "register",
    "run_history",
    "run_summary",
    "take_over",
]
