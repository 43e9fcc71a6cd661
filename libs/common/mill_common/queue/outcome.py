"""How a claim ends: finished, failed or cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.database import session_on
from mill_common.hooks.events import note_outputs
from mill_common.models import Attempt, Outcome, Output, Task, Upload
from mill_common.queue.enqueue import add_tasks
from mill_common.queue.policy import Policy
from mill_common.queue.predicates import claimable
from mill_common.queue.progress import raise_job_progress
from mill_common.queue.quick_end import QUICK_END
from mill_common.queue.quick_roll_up import rolled_up
from mill_common.queue.rows import (
    LockedJob,
    end_attempt,
    end_claim,
    is_held,
    lock_job,
    release_unblocked,
    roll_up_job,
    task_statuses,
    why_lost,
)
from mill_common.queue.text import storable, storable_text
from mill_common.queue.types import Claim, NewOutput, Spent, TaskResult
from mill_common.queue.weights import weighed
from mill_common.states import JobStatus, TaskStatus

MESSAGE_LENGTH = 2000
SOURCE = "source"  # the kind of an output that is a fetched source


def finish(
    connection: Connection,
    claim: Claim,
    result: TaskResult,
    *,
    outputs: Sequence[NewOutput],
    spent: Spent,
    policy: Policy,
) -> frozenset[str]:
    """Complete a claimed task with its outputs, and release what waited for it.

    Returns the queues to wake once this is committed.

    Raises:
        LeaseLost: Another worker holds the task by now; nothing was written.
        TaskCancelled: The cancellation was committed first; nothing was written.
    """
    job = _complete(connection, claim, result, spent)
    if result == TaskResult(result=result.result) and not outputs:
        statuses = task_statuses(connection, job.id)
        if TaskStatus.BLOCKED not in statuses and rolled_up(connection, job, statuses):
            return frozenset()
    with session_on(connection) as session:
        _write_outputs(session, claim, outputs)
        _note_facts(session, job, result)
        if result.tasks:
            add_tasks(session, job, weighed(session, result.media, result.tasks), policy)
        if result.publish:
            _publish(session, job)
        if outputs or result.publish:
            _weigh(job)
        return _follow_up(session, job, policy)


def _follow_up(session: Session, job: LockedJob, policy: Policy) -> frozenset[str]:
    """Release what waited for a task that has completed, and bring the job in line."""
    statuses = task_statuses(session.connection(), job.id)
    waits = TaskStatus.BLOCKED in statuses and not is_held(job)
    queues = release_unblocked(session, job.id, policy) if waits else frozenset[str]()
    if rolled_up(session.connection(), job, statuses):
        return queues
    if roll_up_job(session, job) is JobStatus.PROCESSING:
        raise_job_progress(session, job.id, touch=True)
    return queues


def _complete(connection: Connection, claim: Claim, result: TaskResult, spent: Spent) -> LockedJob:
    made = storable(result.result)
    if connection.dialect.name == "postgresql":
        this = {"job_id": claim.job.id, "of_task": claim.task_id, "of_epoch": claim.epoch, "result": made}
        this["of_status"] = TaskStatus.RUNNING
        used = {f"of_{name}": value for name, value in storable(vars(spent)).items()}
        row = QUICK_END.first(connection, this | used)
        if row is None:
            raise why_lost(connection, claim)
        return LockedJob(**row._asdict())
    completed = {"status": TaskStatus.COMPLETED, "progress": 1.0, "result": made, "finished_at": db_now()}
    with session_on(connection) as session:
        job = lock_job(session, claim.job.id)
        end_claim(session, claim, completed)
        assert job is not None, "a held task's job cannot be deleted"
        end_attempt(session, claim, Outcome.COMPLETED, **vars(spent))
    return job


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why an attempt failed."""

    code: str
    message: str
    permanent: bool = False  # however often it is tried
    outage: bool = False  # something that it needs is down: the task is not to blame


def fail(session: Session, claim: Claim, failure: Failure, *, spent: Spent, policy: Policy) -> TaskStatus:
    """Record that an attempt failed: the task is retried later or, at its end, a dead letter.

    An attempt that failed for an outage is handed back, `policy.max_outages` times at the most.

    Raises:
        LeaseLost: Another worker holds the task by now; nothing was written.
        TaskCancelled: The cancellation was committed first; nothing was written.
    """
    job = lock_job(session, claim.job.id)
    error = {"error_code": failure.code, "error_message": storable_text(failure.message, MESSAGE_LENGTH)}
    outages = _outages(session, claim) if failure.outage else policy.max_outages
    refunded = outages < policy.max_outages
    dead = not refunded and (failure.permanent or claim.attempts >= claim.max_attempts)
    if dead:
        values: dict[str, Any] = {"status": TaskStatus.FAILED, "finished_at": db_now()}
    else:
        again = db_now(policy.backoff_s(outages + 1 if refunded else claim.attempts))
        hold = job is not None and is_held(job)
        values = {"status": TaskStatus.BLOCKED if hold else TaskStatus.RETRYING, "run_after": again, "wake_at": again}
    if refunded:
        values |= {"attempts": Task.attempts - 1, "outages": outages + 1}
    end_claim(session, claim, values | error)
    assert job is not None, "a held task's job cannot be deleted"
    outcome = Outcome.FAILED if dead else Outcome.POSTPONED if refunded else Outcome.RETRYING
    end_attempt(session, claim, outcome, **error, **vars(spent))
    if dead:
        fail_job(session, job, claim.name, **error)
    roll_up_job(session, job)
    status: TaskStatus = values["status"]
    return status


def _outages(session: Session, claim: Claim) -> int:
    return session.scalar(select(col(Task.outages)).where(col(Task.id) == claim.task_id)) or 0


def fail_job(session: Session, job: LockedJob, task_name: str, error_code: str, error_message: str) -> None:
    """Name the first reason, and hold the job's waiting tasks until somebody retries it."""
    if job.error_code is None:
        job.changes |= {"error_code": error_code, "error_message": error_message, "failed_task": task_name}
    waiting = update(Task).where(col(Task.job_id) == job.id, claimable())
    session.execute(waiting.values(status=TaskStatus.BLOCKED))


def acknowledge_cancel(session: Session, claim: Claim, spent: Spent) -> None:
    """Say that a cancelled task's work has stopped.

    Raises:
        LeaseLost: Another worker holds the task by now; nothing was written.
    """
    job = lock_job(session, claim.job.id)
    ending = {"status": TaskStatus.CANCELLED, "finished_at": db_now()}
    end_claim(session, claim, ending, even_if_cancelled=True)
    end_attempt(session, claim, Outcome.CANCELLED, **vars(spent))
    if job is not None:
        roll_up_job(session, job)


def outcome_of(session: Session, claim: Claim) -> Outcome | None:
    """How this very claim ended, or None if it has not: the answer when COMMIT's own answer was lost."""
    attempt = session.get(Attempt, (claim.task_id, claim.epoch))
    return attempt.outcome if attempt else None


def _write_outputs(session: Session, claim: Claim, outputs: Sequence[NewOutput]) -> None:
    if not outputs:
        return
    rows = [
        Output(job_id=claim.job.id, task_id=claim.task_id, epoch=claim.epoch, **storable(vars(output))).model_dump(
            exclude={"created_at", "published_at"}
        )
        for output in outputs
    ]
    session.execute(insert(Output), rows)


def _note_facts(session: Session, job: LockedJob, result: TaskResult) -> None:
    values: dict[str, Any] = {}
    if result.media is not None:
        values["media"] = media = storable(result.media)
        values["duration_s"] = media.get("duration_s")
    if result.transcript is not None:
        values["transcript"] = storable(result.transcript)
    if source := result.source:
        values |= {"source_key": source.object_key, "source_size": source.size}
        values |= {"source_sha256": source.sha256, "filename": storable_text(source.filename)}
        _tell_upload(session, job, source.sha256)
    job.changes |= values


def _tell_upload(session: Session, job: LockedJob, sha256: str) -> None:
    """A client that put its upload into storage itself may not have said what it holds."""
    unknown = update(Upload).where(col(Upload.id) == job.upload_id, col(Upload.sha256).is_(None))
    session.execute(unknown.values(sha256=sha256))


def _weigh(job: LockedJob) -> None:
    """Keep what the job's outputs weigh together: an owner's use is then a sum over an index."""
    made = select(func.coalesce(func.sum(col(Output.size)), 0)).where(col(Output.job_id) == job.id)
    job.changes["stored_bytes"] = made.scalar_subquery()


def _publish(session: Session, job: LockedJob) -> None:
    made = col(Output.job_id) == job.id
    # A fetched source is kept with the job, but it is not something that the job made.
    shown = made & ~col(Output.intermediate) & (col(Output.kind) != SOURCE)
    session.execute(update(Output).where(shown).values(published_at=db_now()))
    session.execute(delete(Output).where(made, col(Output.intermediate)))
    if job.watched:
        note_outputs(session, job.id)
