"""What became of work, in figures that cost the same however much work there was.

Attempts that have ended are added up by minute, hour and day (`fold`); whoever asks adds those that have ended since
(`reading`). Of jobs and tasks only those that are not completed are counted each time (`stock`).
"""

from mill_common.figures.fold import KEEP_DAYS, fold_attempts, forget_figures
from mill_common.figures.reading import attempt_totals, successes
from mill_common.figures.stock import JobCounts, TaskCounts, job_counts, recount, task_counts, upload_bytes
from mill_common.figures.totals import Ended, Totals

__all__ = [
    "KEEP_DAYS",
    "Ended",
    "JobCounts",
    "TaskCounts",
    "Totals",
    "attempt_totals",
    "fold_attempts",
    "forget_figures",
    "job_counts",
    "recount",
    "successes",
    "task_counts",
    "upload_bytes",
]
