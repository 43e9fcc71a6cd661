"""How a claim ends: finished, failed or cancelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import Job, Outcome, Output, Task
from mill_common.queue.enqueue import add_tasks
from mill_common.queue.policy import Policy
from mill_common.queue.rows import end_attempt, end_claim, lock_job, release_unblocked, roll_up_job
from mill_common.queue.types import Claim, NewOutput, Spent, TaskResult
from mill_common.states import CLAIMABLE, TaskStatus

MESSAGE_LENGTH = 2000


def finish(
    session: Session, claim: Claim, result: TaskResult, *, outputs: Sequence[NewOutput], spent: Spent, policy: Policy
) -> frozenset[str]:
    """Complete a claimed task with its outputs, and release what waited for it.

    Returns the queues to wake once this is committed.

    Raises:
        LeaseLost: Another worker holds the task by now; nothing was written.
        TaskCancelled: The cancellation was committed first; nothing was written.
    """
    job = lock_job(session, claim.job.id)
    ending = {"status": TaskStatus.COMPLETED, "progress": 1.0, "result": dict(result.result), "finished_at": db_now()}
    end_claim(session, claim, ending)
    assert job is not None, "a held task's job cannot be deleted"
    end_attempt(session, claim.task_id, claim.epoch, Outcome.COMPLETED, **vars(spent))
    _write_outputs(session, claim, outputs)
    _write_facts(session, job, result)
    add_tasks(session, job, result.tasks, policy)
    if result.publish:
        _publish(session, job)
    queues = release_unblocked(session, job.id, policy)
    roll_up_job(session, job)
    return queues


def fail(
    session: Session, claim: Claim, *, code: str, message: str, permanent: bool, spent: Spent, policy: Policy
) -> TaskStatus:
    """Record that an attempt failed: the task is retried later or, at its end, a dead letter.

    Raises:
        LeaseLost: Another worker holds the task by now; nothing was written.
        TaskCancelled: The cancellation was committed first; nothing was written.
    """
    job = lock_job(session, claim.job.id)
    dead = permanent or claim.attempts >= claim.max_attempts
    end_claim(session, claim, failure(dead, code, message, claim.attempts, policy))
    assert job is not None, "a held task's job cannot be deleted"
    outcome = Outcome.FAILED if dead else Outcome.RETRYING
    error = {"error_code": code, "error_message": message[:MESSAGE_LENGTH]}
    end_attempt(session, claim.task_id, claim.epoch, outcome, **error, **vars(spent))
    if dead:
        fail_job(session, job, claim.name, code, message)
    roll_up_job(session, job)
    return TaskStatus.FAILED if dead else TaskStatus.RETRYING


def failure(dead: bool, code: str, message: str, attempts: int, policy: Policy) -> dict[str, Any]:
    """What a task's row says after a failed attempt."""
    error = {"error_code": code, "error_message": message[:MESSAGE_LENGTH]}
    if dead:
        return {"status": TaskStatus.FAILED, "finished_at": db_now(), **error}
    again = db_now(policy.backoff_s(attempts))
    return {"status": TaskStatus.RETRYING, "run_after": again, "wake_at": again, **error}


def fail_job(session: Session, job: Job, task_name: str, code: str, message: str) -> None:
    """Name the reason, and hold the job's waiting tasks until somebody retries it."""
    session.execute(
        update(Job)
        .where(col(Job.id) == job.id, col(Job.error_code).is_(None))
        .values(error_code=code, error_message=message[:MESSAGE_LENGTH], failed_task=task_name)
    )
    session.execute(
        update(Task)
        .where(col(Task.job_id) == job.id, col(Task.status).in_(CLAIMABLE))
        .values(status=TaskStatus.BLOCKED)
    )


def acknowledge_cancel(session: Session, claim: Claim, spent: Spent) -> None:
    """Say that a cancelled task's work has stopped.

    Raises:
        LeaseLost: Another worker holds the task by now; nothing was written.
    """
    job = lock_job(session, claim.job.id)
    ending = {"status": TaskStatus.CANCELLED, "finished_at": db_now()}
    end_claim(session, claim, ending, even_if_cancelled=True)
    end_attempt(session, claim.task_id, claim.epoch, Outcome.CANCELLED, **vars(spent))
    if job is not None:
        roll_up_job(session, job)


def is_finished(session: Session, claim: Claim) -> bool:
    """Whether this very claim completed its task: the answer when COMMIT's own answer was lost."""
    finished = select(col(Task.id)).where(
        col(Task.id) == claim.task_id, col(Task.epoch) == claim.epoch, col(Task.status) == TaskStatus.COMPLETED
    )
    return session.scalar(finished) is not None


def _write_outputs(session: Session, claim: Claim, outputs: Sequence[NewOutput]) -> None:
    if not outputs:
        return
    rows = [
        Output(job_id=claim.job.id, task_id=claim.task_id, epoch=claim.epoch, **vars(output)).model_dump(
            exclude={"created_at", "published_at"}
        )
        for output in outputs
    ]
    session.execute(insert(Output), rows)


def _write_facts(session: Session, job: Job, result: TaskResult) -> None:
    values: dict[str, Any] = {}
    if result.media is not None:
        values["media"] = dict(result.media)
    if result.transcript is not None:
        values["transcript"] = dict(result.transcript)
    if source := result.source:
        values |= {"source_key": source.object_key, "source_size": source.size}
        values |= {"source_sha256": source.sha256, "filename": source.filename}
    if values:
        session.execute(update(Job).where(col(Job.id) == job.id).values(**values))


def _publish(session: Session, job: Job) -> None:
    made = col(Output.job_id) == job.id
    session.execute(update(Output).where(made, ~col(Output.intermediate)).values(published_at=db_now()))
    session.execute(delete(Output).where(made, col(Output.intermediate)))
