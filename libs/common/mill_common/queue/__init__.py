"""The queue: rows decide, messages wake.

Functions here take a session and belong to the caller's transaction; those that make tasks claimable return the queues
to wake after the commit. `TaskQueue` does both for workers and the watchdog.
"""

from mill_common.queue.claim import claim
from mill_common.queue.control import (
    JobEnded,
    JobNotFailed,
    JobNotFound,
    JobRunning,
    cancel_job,
    change_priority,
    delete_job,
    retry_job,
)
from mill_common.queue.enqueue import enqueue_job
from mill_common.queue.facade import TaskQueue
from mill_common.queue.lease import expire_leases, expire_silent, heartbeat, release
from mill_common.queue.limits import OwnerNotFound, set_owner_limits
from mill_common.queue.outcome import acknowledge_cancel, fail, finish
from mill_common.queue.policy import Policy
from mill_common.queue.reap import HEARTBEAT_TIMEOUT, reap
from mill_common.queue.types import (
    TRANSCODE,
    TRANSCRIBE,
    Claim,
    JobFacts,
    NewOutput,
    NewTask,
    SourceFacts,
    Spent,
    TaskResult,
)
from mill_common.queue.wakeups import overdue_wakeups

__all__ = [
    "HEARTBEAT_TIMEOUT",
    "TRANSCODE",
    "TRANSCRIBE",
    "Claim",
    "JobEnded",
    "JobFacts",
    "JobNotFailed",
    "JobNotFound",
    "JobRunning",
    "NewOutput",
    "NewTask",
    "OwnerNotFound",
    "Policy",
    "SourceFacts",
    "Spent",
    "TaskQueue",
    "TaskResult",
    "acknowledge_cancel",
    "cancel_job",
    "change_priority",
    "claim",
    "delete_job",
    "enqueue_job",
    "expire_leases",
    "expire_silent",
    "fail",
    "finish",
    "heartbeat",
    "overdue_wakeups",
    "reap",
    "release",
    "retry_job",
    "set_owner_limits",
]
