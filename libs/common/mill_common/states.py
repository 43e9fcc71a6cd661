"""The states of tasks and jobs, and how a job's follows from its tasks'.

blocked ─▶ queued ─▶ running ─▶ completed
   │          ▲  │      │ ├───▶ retrying ─▶ running
   │          │  │      │ ├───▶ failed ─▶ queued      (by hand: the dead letter)
   │          │  │      │ └───▶ queued                (handed back on a graceful stop)
   └──────────┴──┴──────┴─────▶ cancelled

A blocked task of a job that is stuck, because nothing ever released it, fails too, so that a retry starts there; so do
the waiting tasks of a job whose deadline passes while nothing of it runs.
Once a job has failed, whatever of it would be queued or retrying is blocked instead, until somebody retries it.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class TaskStatus(StrEnum):
    """The life of a task."""

    BLOCKED = "blocked"
    QUEUED = "queued"
    RUNNING = "running"
    RETRYING = "retrying"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobStatus(StrEnum):
    """The life of a job."""

    QUEUED = "queued"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


WAITING = frozenset({TaskStatus.BLOCKED, TaskStatus.QUEUED, TaskStatus.RETRYING})
CLAIMABLE = frozenset({TaskStatus.QUEUED, TaskStatus.RETRYING})
ENDED = frozenset({TaskStatus.COMPLETED, TaskStatus.FAILED, TaskStatus.CANCELLED})
JOB_ENDED = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})

TRANSITIONS: dict[TaskStatus, frozenset[TaskStatus]] = {
    TaskStatus.BLOCKED: frozenset({TaskStatus.QUEUED, TaskStatus.FAILED, TaskStatus.CANCELLED}),
    TaskStatus.QUEUED: frozenset({TaskStatus.RUNNING, TaskStatus.BLOCKED, TaskStatus.FAILED, TaskStatus.CANCELLED}),
    TaskStatus.RETRYING: frozenset({TaskStatus.RUNNING, TaskStatus.BLOCKED, TaskStatus.FAILED, TaskStatus.CANCELLED}),
    TaskStatus.RUNNING: frozenset(
        {
            TaskStatus.COMPLETED,
            TaskStatus.RETRYING,
            TaskStatus.FAILED,
            TaskStatus.CANCELLED,
            TaskStatus.QUEUED,
            TaskStatus.BLOCKED,
        }
    ),
    TaskStatus.FAILED: frozenset({TaskStatus.QUEUED}),
    TaskStatus.COMPLETED: frozenset(),
    TaskStatus.CANCELLED: frozenset(),
}


def roll_up(tasks: Collection[TaskStatus]) -> JobStatus:
    """A job's status from its tasks'.

    A job has failed as soon as one task has, even while others still run: nothing can complete it but a retry.
    """
    if not tasks:
        raise ValueError("a job has at least one task")
    statuses = set(tasks)
    if TaskStatus.CANCELLED in statuses:
        return JobStatus.CANCELLED
    if TaskStatus.FAILED in statuses:
        return JobStatus.FAILED
    if statuses == {TaskStatus.COMPLETED}:
        return JobStatus.COMPLETED
    if statuses <= {TaskStatus.QUEUED, TaskStatus.BLOCKED}:
        return JobStatus.QUEUED
    return JobStatus.PROCESSING
