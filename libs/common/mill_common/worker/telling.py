"""What an attempt leaves in the logs and metrics, besides its row."""

from __future__ import annotations

import time

import structlog

from mill_common.errors import LeaseLost, MillError, ShuttingDown, TaskCancelled
from mill_common.log_files import PERFORMANCE
from mill_common.metrics import instruments as count
from mill_common.queue import Claim
from mill_common.worker.running import RunningTask

slow = structlog.get_logger(PERFORMANCE)


def named(claim: Claim) -> dict[str, str | int]:
    """What stands on every line that is logged under a claim. A job's trace is named as the job is."""
    return {
        "job": str(claim.job.id),
        "task": claim.name,
        "task_id": str(claim.task_id),
        "epoch": claim.epoch,
        "attempt": claim.attempts,
        "trace_id": claim.job.id.hex,
    }


class Telling:
    """One attempt, from its claim to its end."""

    def __init__(self, task: RunningTask) -> None:
        self._task = task
        self._began = time.monotonic()
        count.CLAIMS.labels(task.claim.queue).inc()
        count.RUNNING.labels(task.claim.queue).inc()

    def ended(self, error: Exception | None) -> None:
        """Count how it ended and what it took."""
        claim, spent, seconds = self._task.claim, self._task.spent, time.monotonic() - self._began
        outcome, code = _outcome(error)
        count.RUNNING.labels(claim.queue).dec()
        count.ATTEMPTS.labels(claim.queue, claim.kind, outcome, code).inc()
        count.ATTEMPT_SECONDS.labels(claim.queue, claim.kind, outcome).observe(seconds)
        count.CHILD_CPU_SECONDS.labels(claim.kind).inc(spent.cpu_s)
        count.TASK_BYTES.labels(claim.kind, "in").inc(spent.bytes_in)
        count.TASK_BYTES.labels(claim.kind, "out").inc(spent.bytes_out)
        if isinstance(error, LeaseLost):
            count.LEASES_LOST.labels(claim.queue).inc()
        if seconds >= self._task.settings.slow_step_s:
            slow.warning("slow_step", kind=claim.kind, outcome=outcome, duration_seconds=round(seconds, 3))


def _outcome(error: Exception | None) -> tuple[str, str]:
    """The outcome and the error's code. Whether a failed task is tried again is for its row to say."""
    if error is None:
        return "completed", ""
    names: dict[type[Exception], str] = {
        LeaseLost: "lease_lost",
        TaskCancelled: "cancelled",
        ShuttingDown: "handed_back",
    }
    code = error.code if isinstance(error, MillError) else MillError.code
    return names.get(type(error), "failed"), code
