"""The oracle: what must hold of history, objects and processes after any fault, once every job has ended.

The numbers are those of the invariants in `docs/faults.md`.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any
from uuid import UUID

from faults.processes import below
from sqlalchemy import select
from sqlmodel import Session

from mill_common.database import Database
from mill_common.models import Attempt, Job, Outcome, Output, Task, WebhookDelivery, WebhookEndpoint
from mill_common.models.webhooks import WebhookEvent
from mill_common.runs import ScheduledRun
from mill_common.states import JOB_ENDED, JobStatus, TaskStatus
from mill_common.storage import ObjectStore


class History:
    """Everything that the rows and the bucket say."""

    def __init__(self, database: Database, store: ObjectStore) -> None:
        self.store = store
        with database.read() as session:
            self.jobs = {job.id: job for job in _all(session, Job)}
            self.tasks = {task.id: task for task in _all(session, Task)}
            self.outputs = _all(session, Output)
            self.endpoints = _all(session, WebhookEndpoint)
            self.deliveries = _all(session, WebhookDelivery)
            self.runs = _all(session, ScheduledRun)
            self.attempts: dict[UUID, list[Attempt]] = defaultdict(list)
            for attempt in sorted(_all(session, Attempt), key=lambda attempt: attempt.epoch):
                self.attempts[attempt.task_id].append(attempt)
        self.objects = {stat.key: stat.size for stat in store.list("jobs/")}

    def listeners(self, job: Job) -> list[WebhookEndpoint]:
        """Who is told of a job, and was before it ended."""
        return [
            endpoint
            for endpoint in self.endpoints
            if endpoint.job_id == job.id
            or (endpoint.job_id is None and endpoint.owner_id == job.owner_id and endpoint.created_at < job.created_at)
        ]


def check(history: History, folder: Path) -> None:
    """Raise AssertionError with every violation. `folder` is where the services keep their scratch."""
    broken = [f"({number}) {words}" for number, rule in RULES for words in rule(history)]
    broken += [f"(7) a process outlives its job: {process}" for process in below(folder)]
    assert not broken, "\n".join(broken)


def _ends(history: History) -> Iterator[str]:
    for job in history.jobs.values():
        if job.status not in JOB_ENDED:
            yield f"job {job.id} is {job.status}"
        statuses = {task.status for task in history.tasks.values() if task.job_id == job.id}
        if job.status is JobStatus.COMPLETED and statuses != {TaskStatus.COMPLETED}:
            yield f"job {job.id} is completed with tasks {sorted(statuses)}"
        if job.status is JobStatus.FAILED and not (job.error_code and TaskStatus.FAILED in statuses):
            yield f"job {job.id} has failed without a reason or a dead letter"


def _one_epoch_commits(history: History) -> Iterator[str]:
    for task in history.tasks.values():
        committed = [one.epoch for one in history.attempts[task.id] if one.outcome is Outcome.COMPLETED]
        wanted = [task.epoch] if task.status is TaskStatus.COMPLETED else []
        if committed != wanted:
            yield f"{task.name} is {task.status} at epoch {task.epoch}, and epochs {committed} completed"


def _outputs_are_of_that_epoch(history: History) -> Iterator[str]:
    for output in history.outputs:
        task = history.tasks[output.task_id]
        if output.epoch != task.epoch or task.status is not TaskStatus.COMPLETED:
            yield f"{output.name} is of epoch {output.epoch}; {task.name} is {task.status} at {task.epoch}"
        if not output.object_key.startswith(f"jobs/{output.job_id}/{output.task_id}-{output.epoch}/"):
            yield f"{output.name} lies at {output.object_key}"
        if (output.published_at is not None) != (history.jobs[output.job_id].status is JobStatus.COMPLETED):
            yield f"{output.name}: published is {output.published_at}, its job {history.jobs[output.job_id].status}"
        yield from _stored(history, output)


def _stored(history: History, output: Output) -> Iterator[str]:
    sizes = {output.object_key + name: size for name, size in output.files.items()} or {output.object_key: output.size}
    for key, size in sizes.items():
        if history.objects.get(key) != size:
            yield f"{key} has {history.objects.get(key)} bytes instead of {size}"
            return
    digest = hashlib.sha256()
    for key in sizes if not output.files else sorted(sizes, key=Path):
        for block in history.store.get(key):
            digest.update(block)
    if digest.hexdigest() != output.sha256:
        yield f"{output.name} does not hold the bytes that were made"


def _objects_have_an_attempt(history: History) -> Iterator[str]:
    known = {
        f"jobs/{history.tasks[attempt.task_id].job_id}/{attempt.task_id}-{attempt.epoch}"
        for attempts in history.attempts.values()
        for attempt in attempts
    }
    for key in history.objects:
        if "/".join(key.split("/")[:3]) not in known:
            yield f"{key} was made by nobody"


def _one_job_a_key(history: History) -> Iterator[str]:
    keys = Counter((job.owner_id, job.idempotency_key) for job in history.jobs.values() if job.idempotency_key)
    yield from (f"{times} jobs of {key}" for key, times in keys.items() if times > 1)


def _claims_are_counted(history: History) -> Iterator[str]:
    for task in history.tasks.values():
        attempts = history.attempts[task.id]
        refunds = sum(attempt.outcome in (Outcome.HANDED_BACK, Outcome.POSTPONED) for attempt in attempts)
        if [attempt.epoch for attempt in attempts] != list(range(1, task.epoch + 1)):
            yield f"{task.name} is at epoch {task.epoch} with attempts {[one.epoch for one in attempts]}"
        if task.attempts != len(attempts) - refunds or task.attempts > task.max_attempts:
            yield f"{task.name}: {len(attempts)} claims, {refunds} handed back, {task.attempts} counted"


def _nothing_outstays_its_lease(history: History) -> Iterator[str]:
    for task in history.tasks.values():
        if task.status is TaskStatus.RUNNING or task.lease_until is not None or task.worker is not None:
            yield f"{task.name} is {task.status}, leased to {task.worker} until {task.lease_until}"
        attempts = history.attempts[task.id]
        for attempt, following in zip_longest(attempts, attempts[1:]):
            if attempt.ended_at is None or attempt.outcome is None:
                yield f"{task.name}: attempt {attempt.epoch} has no end"
            elif following is not None and following.started_at < attempt.ended_at:
                yield f"{task.name}: attempt {following.epoch} began before {attempt.epoch} ended"


def _cancelled_stays_cancelled(history: History) -> Iterator[str]:
    for job in history.jobs.values():
        if job.cancel_requested_at is None:
            continue
        if job.status is not JobStatus.CANCELLED:
            yield f"job {job.id} was cancelled and is {job.status}"
        for task in (task for task in history.tasks.values() if task.job_id == job.id):
            for attempt in history.attempts[task.id]:
                late = attempt.ended_at is not None and attempt.ended_at > job.cancel_requested_at
                if late and attempt.outcome is Outcome.COMPLETED:
                    yield f"{task.name} completed after its job was cancelled"


def _ends_are_told_once(history: History) -> Iterator[str]:
    for job in history.jobs.values():
        event = WebhookEvent(f"job.{job.status}") if job.status in JOB_ENDED else None
        for endpoint in history.listeners(job):
            told = [each for each in history.deliveries if (each.job_id, each.endpoint_id) == (job.id, endpoint.id)]
            if event in endpoint.events and [each.event for each in told].count(event) != 1:
                yield f"job {job.id} is {job.status}, and told of by {[each.event for each in told]}"


def _fires_have_one_run(history: History) -> Iterator[str]:
    fires = Counter((run.schedule, run.fire_at) for run in history.runs)
    yield from (f"{times} runs of {fire}" for fire, times in fires.items() if times > 1)


RULES = [
    (1, _ends),
    (2, _one_epoch_commits),
    (3, _outputs_are_of_that_epoch),
    (3, _objects_have_an_attempt),
    (4, _one_job_a_key),
    (5, _claims_are_counted),
    (6, _nothing_outstays_its_lease),
    (7, _cancelled_stays_cancelled),
    (8, _ends_are_told_once),
    (8, _fires_have_one_run),
]


def _all(session: Session, table: type[Any]) -> list[Any]:
    return list(session.scalars(select(table)).all())
