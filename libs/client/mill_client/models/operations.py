"""The running system as operators see it: queues, workers, tasks, alerts."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from .base import Model


class Queue(Model):
    """One queue now. `oldest_seconds` is how long the task that waits longest has waited."""

    queue: str
    pending: int = 0
    running: int = 0
    failed: int = 0
    oldest_seconds: float | None = None
    paused: bool = False
    paused_by: str | None = None
    paused_at: datetime | None = None
    reason: str | None = None


class QueueList(Model):
    """Every queue."""

    queues: list[Queue]


class Worker(Model):
    """A worker process. `alive` is whether it was heard of within a lease, `wish` what an operator wants of it."""

    id: str
    name: str
    service: str
    queue: str
    host: str = ""
    slots: int = 0
    running: list[str] = Field(default_factory=list)
    state: str
    reason: str | None = None
    wish: str | None = None
    alive: bool = False
    started_at: datetime | None = None
    heartbeat_age_seconds: float = 0.0
    stopped_at: datetime | None = None


class WorkerList(Model):
    """Workers, the latest first."""

    workers: list[Worker]


class ActiveTask(Model):
    """A task that a worker holds, and what it has cost. `session_id` is the job; `progress` is 0 to 1."""

    session_id: str
    task_id: str
    owner: str = ""
    filename: str = ""
    task: str = ""
    kind: str = ""
    stage: str | None = None
    progress: float = 0.0
    worker: str | None = None
    attempt: int = 0
    elapsed_seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_bytes: int = 0


class ActiveTaskList(Model):
    """What runs, the longest first."""

    sessions: list[ActiveTask]
    count: int = 0


class DeadLetter(Model):
    """A task that failed for good."""

    job_id: str
    task_id: str
    owner: str = ""
    filename: str = ""
    task: str = ""
    queue: str = ""
    attempts: int = 0
    error_code: str | None = None
    error_message: str | None = None
    failed_at: datetime | None = None


class DeadLetterPage(Model):
    """Dead letters, the latest first."""

    dead_letters: list[DeadLetter]
    total: int = 0


class Alert(Model):
    """A condition from when it began to hold until it no longer did."""

    id: str
    type: str
    level: str
    status: str
    title: str
    message: str = ""
    timestamp: datetime | None = None
    acknowledged_at: datetime | None = None
    inhibited_by: str | None = None


class AlertPage(Model):
    """One page of alerts, the newest first."""

    alerts: list[Alert]
    total: int = 0


class ProcessingStats(Model):
    """Attempts at tasks in the last `hours`. `pace` counts successes in each sixtieth of them, the latest last."""

    hours: int
    total_operations: int = 0
    successful_operations: int = 0
    failed_operations: int = 0
    success_rate: float | None = None
    average_duration_seconds: float | None = None
    errors: dict[str, int] = Field(default_factory=dict)
    pace: list[int] = Field(default_factory=list)
    age_seconds: float = 0.0


class NotDone(Model):
    """A job with which it could not be done, and the code of why."""

    job_id: str
    code: str


class BulkResult(Model):
    """What was done with many jobs."""

    matched: int = 0
    job_ids: list[str] = Field(default_factory=list)
    done: int = 0
    failed: list[NotDone] = Field(default_factory=list)
