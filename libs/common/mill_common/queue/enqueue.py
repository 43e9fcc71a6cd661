"""Jobs and tasks come in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from mill_common.models import Job, Task, TaskNeed
from mill_common.queue.policy import Policy
from mill_common.queue.rows import LockedJob, release_unblocked
from mill_common.queue.types import NewTask
from mill_common.tracing import trace_headers

HIGHEST_PRIORITY = 9
PROBE = NewTask(name="probe", kind="probe", weight=1.0)
FETCH = NewTask(name="fetch", kind="fetch", weight=5.0)


def enqueue_job(session: Session, job: Job, policy: Policy, limits: Mapping[str, Any] | None = None) -> frozenset[str]:
    """Write a new job with its first tasks. Returns the queues to wake once this is committed.

    A source that is only a URL yet is fetched first; a probe then plans everything else. Both are given `limits`, what
    the owner's sources may be.
    """
    job.trace = job.trace or trace_headers()
    session.add(job)
    session.flush()
    tasks = [PROBE] if job.source_key else [FETCH, replace(PROBE, needs=["fetch"])]
    tasks = [replace(task, params=limits or {}) for task in tasks]
    add_tasks(session, job, tasks, policy)
    return release_unblocked(session, job.id, policy)


def add_tasks(session: Session, job: Job | LockedJob, tasks: Sequence[NewTask], policy: Policy) -> None:
    """Write tasks as blocked, with what they need among themselves or among the job's earlier tasks.

    Raises:
        ValueError: A need names no task of this job.
    """
    known: dict[str, UUID] = dict(
        session.execute(select(col(Task.name), col(Task.id)).where(col(Task.job_id) == job.id)).all()
    )
    rows = [
        Task(
            job_id=job.id,
            owner_id=job.owner_id,
            queue=task.queue,
            kind=task.kind,
            name=task.name,
            params=dict(task.params),
            weight=task.weight,
            rank=HIGHEST_PRIORITY - job.priority,
            max_attempts=policy.max_attempts,
        )
        for task in tasks
    ]
    session.add_all(rows)
    session.flush()
    known |= {row.name: row.id for row in rows}
    for task in tasks:
        if unknown := set(task.needs) - known.keys():
            raise ValueError(f"{task.name} needs {', '.join(sorted(unknown))}, which this job has not")
        session.add_all(TaskNeed(task_id=known[task.name], needs_id=known[need]) for need in task.needs)
    session.flush()
