"""A queue as tests use it: jobs come in, workers claim, rows are looked at."""

from __future__ import annotations

from collections import Counter
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.models import Attempt, Job, Output, Owner, Task
from mill_common.queue import (
    TRANSCODE,
    Claim,
    NewOutput,
    NewTask,
    Policy,
    Spent,
    TaskQueue,
    TaskResult,
    cancel_job,
    delete_job,
    enqueue_job,
    retry_job,
    set_owner_limits,
)
from mill_common.states import JobStatus, TaskStatus

NOTHING = Spent()


class Woken:
    """A dispatcher that counts."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def wake(self, queue: str, count: int = 1) -> None:
        """Count what would be sent."""
        self.counts[queue] += count


class Desk:
    """One database with its queue, and a word for everything that tests do to it."""

    def __init__(self, database: Database, policy: Policy | None = None) -> None:
        self.database = database
        self.policy = policy or Policy()
        self.woken = Woken()
        self.queue = TaskQueue(database, self.policy, self.woken)

    # What clients do

    def job(self, owner: str = "ada", *, priority: int = 5, **fields: Any) -> UUID:
        """A job with a source, whose probe is queued."""
        source = {"source_key": "uploads/clip.mp4"} | fields
        job = Job(owner_id=owner, priority=priority, filename="clip.mp4", **source)
        with self.database.write() as session:
            if session.get(Owner, owner) is None:
                session.add(Owner(id=owner))
                session.flush()
            enqueue_job(session, job, self.policy)
        return job.id

    def planned(self, *tasks: NewTask, owner: str = "ada") -> UUID:
        """A job whose probe has completed and planned `tasks`. Nothing else may be queued."""
        job = self.job(owner)
        probe = self.claim()
        assert probe.job.id == job
        self.finish(probe, tasks=tasks)
        return job

    def cancel(self, job: UUID) -> None:
        """Ask for a job's cancellation."""
        self.database.run(lambda session: cancel_job(session, job))

    def retry(self, job: UUID) -> frozenset[str]:
        """Ask for a failed job's retry."""
        return self.database.run(lambda session: retry_job(session, job, self.policy))

    def limit(self, owner: str, *, weight: float = 1.0, running_cap: int | None = None) -> None:
        """Set an owner's weight and cap."""
        self.database.run(lambda session: set_owner_limits(session, owner, weight=weight, running_cap=running_cap))

    def delete(self, job: UUID) -> list[str]:
        """Ask for a job's deletion."""
        return self.database.run(lambda session: delete_job(session, job))

    # What workers do

    def take(self, queue: str = TRANSCODE, worker: str = "worker") -> Claim | None:
        """The next task, if there is one."""
        return self.queue.claim(queue, worker)

    def claim(self, queue: str = TRANSCODE, worker: str = "worker") -> Claim:
        """The next task, which must be there."""
        claim = self.take(queue, worker)
        assert claim is not None, "nothing to claim"
        return claim

    def claims(self, count: int) -> dict[str, Claim]:
        """The next `count` tasks, by name."""
        return {claim.name: claim for claim in (self.claim() for _ in range(count))}

    def finish(self, claim: Claim, *outputs: NewOutput, **result: Any) -> None:
        """Complete a claim."""
        self.queue.finish(claim, TaskResult(**result), outputs, NOTHING)

    def fail(self, claim: Claim, error: BaseException) -> TaskStatus:
        """Fail a claim."""
        return self.queue.fail(claim, error, NOTHING)

    # What time does

    def expire(self, claim: Claim) -> None:
        """Let a claim's lease run out."""
        self._write_task(claim.task_id, lease_until=db_now(-1.0))

    def due(self, task_id: UUID) -> None:
        """Let a task's delay pass."""
        self._write_task(task_id, run_after=db_now(-1.0), wake_at=db_now(-1.0))

    def crash(self, claim: Claim) -> None:
        """Let a claim's worker die and the sweep find out."""
        self.expire(claim)
        assert self.queue.reap_expired() == 1

    # What the rows say

    def task(self, task_id: UUID) -> Task:
        """A task's row."""
        with self.database.read() as session:
            return session.get_one(Task, task_id)

    def tasks(self, job: UUID) -> dict[str, Task]:
        """A job's tasks by name."""
        with self.database.read() as session:
            return {task.name: task for task in session.scalars(select(Task).where(col(Task.job_id) == job))}

    def statuses(self, job: UUID) -> dict[str, TaskStatus]:
        """The statuses of a job's tasks by name."""
        return {name: task.status for name, task in self.tasks(job).items()}

    def row(self, job: UUID) -> Job:
        """A job's row."""
        with self.database.read() as session:
            return session.get_one(Job, job)

    def status(self, job: UUID) -> JobStatus:
        """A job's status."""
        return self.row(job).status

    def outputs(self, job: UUID) -> dict[str, Output]:
        """A job's outputs by name."""
        with self.database.read() as session:
            rows = session.scalars(select(Output).where(col(Output.job_id) == job)).all()
            return {output.name: output for output in rows}

    def attempts(self, task_id: UUID) -> list[Attempt]:
        """A task's attempts, the first one first."""
        with self.database.read() as session:
            of_task = select(Attempt).where(col(Attempt.task_id) == task_id)
            return list(session.scalars(of_task.order_by(col(Attempt.epoch))).all())

    def seconds_until(self, task_id: UUID, column: str) -> float:
        """How far ahead of the database's clock a task's time lies, in seconds."""
        with self.database.read() as session:
            ahead, now = session.execute(select(getattr(Task, column), db_now()).where(col(Task.id) == task_id)).one()
        return float((ahead - now).total_seconds())

    def count(self, table: type[Any]) -> int:
        """How many rows a table holds."""
        with self.database.read() as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    def _write_task(self, task_id: UUID, **values: Any) -> None:
        with self.database.write() as session:
            session.execute(update(Task).where(col(Task.id) == task_id).values(**values))


def made(name: str, *, intermediate: bool = False, **fields: Any) -> NewOutput:
    """An output that a handler would have made."""
    values: dict[str, Any] = {"kind": "rendition", "size": 1, "sha256": "0" * 64, "content_type": "video/mp4"}
    values |= {"object_key": f"jobs/{name}", "intermediate": intermediate} | fields
    return NewOutput(name=name, **values)
