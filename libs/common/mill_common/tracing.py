"""One trace from a request over the queue to whatever is done for it. Without a DSN nothing here does anything.

The row is the truth, not the message: so a job's row keeps the headers of the trace it came in under, and whoever works
for the job continues that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import sentry_sdk
from sqlalchemy import select
from sqlmodel import col

from mill_common.database import Database
from mill_common.errors import MillError, PermanentError, Stopped
from mill_common.models import Job, Task

SYSTEM = "mediamill"
Headers = Mapping[str, str]


def tracing() -> bool:
    """Whether there is anybody to tell."""
    return sentry_sdk.is_initialized()


def trace_headers() -> dict[str, str] | None:
    """What continues the trace at work; None without a DSN."""
    if not sentry_sdk.is_initialized():
        return None
    headers = {"sentry-trace": sentry_sdk.get_traceparent(), "baggage": sentry_sdk.get_baggage()}
    return {name: value for name, value in headers.items() if value}


@contextmanager
def continued(headers: Headers | None, *, op: str, name: str, **data: Any) -> Iterator[Any]:
    """A transaction that continues a trace, or begins one if there are no headers. Errors within belong to it.

    Names of `data` have their dots written as `__`.
    """
    if not sentry_sdk.is_initialized():
        yield None
        return
    with sentry_sdk.isolation_scope():
        known = sentry_sdk.continue_trace(dict(headers or {}), op=op, name=name, source="task")
        with sentry_sdk.start_transaction(known) as transaction:
            for key, value in data.items():
                transaction.set_data(key.replace("__", "."), value)
            yield transaction


def published(tasks: Iterable[Task]) -> None:
    """Note in the trace at work that tasks can be claimed now."""
    if sentry_sdk.get_current_span() is None:
        return
    for task in tasks:
        with sentry_sdk.start_span(op="queue.publish", name=task.queue) as span:
            span.set_data("messaging.system", SYSTEM)
            span.set_data("messaging.destination.name", task.queue)
            span.set_data("messaging.message.id", str(task.id))


def process(claim: Any, work: Callable[[], Exception | None]) -> Exception | None:
    """Do a claim's `work` within its job's trace. Returns what it returns: why it did not complete."""
    with continued(
        claim.job.trace,
        op="queue.process",
        name=f"{claim.queue} {claim.kind}",
        messaging__system=SYSTEM,
        messaging__destination__name=claim.queue,
        messaging__message__id=str(claim.task_id),
        messaging__message__receive__latency=round(claim.waited_s * 1000),
        messaging__message__retry__count=claim.attempts - 1,
    ) as transaction:
        if transaction is not None:
            sentry_sdk.set_tags({"job": str(claim.job.id), "task": claim.name, "stage": claim.kind})
        error = work()
        if transaction is not None:
            transaction.set_status(
                "ok" if error is None else "aborted" if isinstance(error, Stopped) else "internal_error"
            )
        return error


def dead_letter(error: Exception) -> None:
    """Report the error that a task died of, once; not one that its source is to blame for."""
    if not isinstance(error, PermanentError | Stopped):
        sentry_sdk.capture_exception(error)


def taken_back(database: Database, job_id: UUID, task_id: UUID, *, died: bool) -> None:
    """Note in a job's trace that a watchdog took a task from a worker that fell silent."""
    if not sentry_sdk.is_initialized():
        return
    with continued(_trace_of(database, job_id), op="queue.reap", name="take back", messaging__message__id=str(task_id)):
        if died:
            died_untold(database, job_id)


@contextmanager
def done_for(database: Database, job_id: UUID | None, *, op: str, name: str, **data: Any) -> Iterator[Any]:
    """A transaction within a job's trace, or one that begins its own if there is no such job; see `continued`."""
    headers = _trace_of(database, job_id) if job_id is not None and sentry_sdk.is_initialized() else None
    with continued(headers, op=op, name=name, **data) as transaction:
        yield transaction


def died_untold(database: Database, job_id: UUID) -> None:
    """Report a job that a watchdog had to fail: no worker could."""
    if not sentry_sdk.is_initialized():
        return
    failed = select(col(Job.error_code), col(Job.failed_task)).where(col(Job.id) == job_id)
    with database.read() as session:
        code, task = session.execute(failed).one()
    tags = {"job": str(job_id), "task": task, "code": code}
    said = f"Dead letter: {code or MillError.code}"
    sentry_sdk.capture_event({"level": "error", "message": said, "fingerprint": [code or MillError.code], "tags": tags})


def _trace_of(database: Database, job_id: UUID) -> Headers | None:
    with database.read() as session:
        return session.scalar(select(col(Job.trace)).where(col(Job.id) == job_id))
