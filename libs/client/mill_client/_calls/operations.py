"""Calls about the running system, for keys with the scope `viewer`, `operator` or `admin`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .._retries import Repeat
from ..models import (
    ActiveTaskList,
    AlertPage,
    BulkResult,
    DeadLetterPage,
    ProcessingStats,
    Queue,
    QueueList,
    Run,
    RunList,
    RunSummary,
    Worker,
    WorkerList,
)
from .call import Call, Params, given, path, reading

Wish = Literal["pause", "resume", "drain"]


def active_runs() -> Call[RunList]:
    return Call("GET", path("monitoring", "jobs", "active"), reading(RunList))


def run_history(params: Params) -> Call[RunList]:
    return Call("GET", path("monitoring", "jobs", "history"), reading(RunList), params=params)


def run_summary() -> Call[RunSummary]:
    return Call("GET", path("monitoring", "jobs", "summary"), reading(RunSummary))


def run(run_id: str) -> Call[Run]:
    return Call("GET", path("monitoring", "jobs", run_id), reading(Run))


def active_tasks() -> Call[ActiveTaskList]:
    return Call("GET", path("monitoring", "sessions", "active"), reading(ActiveTaskList))


def stats(hours: int) -> Call[ProcessingStats]:
    return Call("GET", path("monitoring", "stats"), reading(ProcessingStats), params={"hours": hours})


def alerts(params: Params) -> Call[AlertPage]:
    return Call("GET", path("monitoring", "alerts"), reading(AlertPage), params=params)


def workers(*, stopped: bool) -> Call[WorkerList]:
    params = {"stopped": "true"} if stopped else {}
    return Call("GET", path("admin", "workers"), reading(WorkerList), params=params)


def tell_worker(worker_id: str, wish: Wish) -> Call[Worker]:
    return Call("POST", path("admin", "workers", worker_id, wish), reading(Worker), Repeat.UNTAKEN)


def queues() -> Call[QueueList]:
    return Call("GET", path("admin", "queues"), reading(QueueList))


def pause_queue(queue: str, reason: str | None) -> Call[Queue]:
    where = path("admin", "queues", queue, "pause")
    return Call("POST", where, reading(Queue), Repeat.UNTAKEN, json=given(reason=reason))


def resume_queue(queue: str) -> Call[Queue]:
    return Call("POST", path("admin", "queues", queue, "resume"), reading(Queue), Repeat.UNTAKEN)


def dead_letters(params: Params) -> Call[DeadLetterPage]:
    return Call("GET", path("admin", "dead-letters"), reading(DeadLetterPage), params=params)


def bulk(what: Literal["bulk-cancel", "bulk-retry"], job_ids: Sequence[str]) -> Call[BulkResult]:
    body = {"filter": {"job_ids": list(job_ids)}, "dry_run": False, "limit": len(job_ids)}
    return Call("POST", path("admin", "jobs", what), reading(BulkResult), Repeat.UNTAKEN, json=body)
