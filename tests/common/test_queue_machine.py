"""Whatever workers, clients and sweeps do, and in whatever order, the queue's promises hold, on both databases."""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from common.desk import NOTHING, Desk, made
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from servers import Postgres
from sqlalchemy import func, select, update
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.errors import ChildFailed, MillError, SourceUnreadable, Stopped, StorageUnavailable
from mill_common.migrations import migrate
from mill_common.models import Job, Output, Task
from mill_common.queue import Claim, JobEnded, JobNotFailed, JobRunning, NewTask, Policy
from mill_common.states import CLAIMABLE, JOB_ENDED, TRANSITIONS, JobStatus, TaskStatus, roll_up

PLAN = [
    NewTask(name="left", kind="x", weight=3.0),
    NewTask(name="right", kind="x"),
    NewTask(name="join", kind="x", needs=["left", "right"]),
]
OWNERS = ["ada", "grace"]
MEMORY = Path("/dev/shm")  # what is tested is order, not durability


@cache
def template() -> bytes:
    """A SQLite file with the schema; every machine gets a copy."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/mill.db")
        migrate(database)
        with database.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        database.close()
        return Path(folder, "mill.db").read_bytes()


@contextmanager
def fresh_sqlite() -> Iterator[str]:
    """The URL of a copy of the template."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        path = Path(folder, "mill.db")
        path.write_bytes(template())
        yield f"sqlite:///{path}"


def migrate_at(url: str) -> None:
    """Give a database its schema."""
    with closing(Database(url)) as database:
        migrate(database)


class QueueMachine(RuleBasedStateMachine):
    """Several workers, none of which knows what the others did, on two jobs."""

    def __init__(self) -> None:
        super().__init__()
        self.around = ExitStack()
        self.database = Database(self.around.enter_context(self.fresh()))
        policy = Policy(max_attempts=3, max_crashes=2, max_outages=2, retry_base_s=0.001, retry_cap_s=0.001)
        self.desk = Desk(self.database, policy)
        self.jobs: list[UUID] = []
        self.held: list[Claim] = []  # every claim ever made: some are lost by now
        self.claims: dict[UUID, int] = defaultdict(int)
        self.refunds: dict[UUID, int] = defaultdict(int)
        self.outages: dict[UUID, int] = defaultdict(int)  # since the last retry by hand
        self.caps: dict[str, int | None] = {}
        self.committed: dict[UUID, int] = {}
        self.before: dict[UUID, Task] = {}
        self.jobs_before: dict[UUID, Job] = {}

    def fresh(self) -> AbstractContextManager[str]:
        """The URL of a database that has just been made."""
        return fresh_sqlite()

    def teardown(self) -> None:
        self.database.close()
        self.around.close()

    @initialize()
    def two_jobs(self) -> None:
        self.jobs = [self.desk.planned(*PLAN, owner="ada")]
        probe = self.desk.tasks(self.jobs[0])["probe"]
        self.claims[probe.id] = self.committed[probe.id] = 1
        self.claim()
        with self.database.write() as session:
            now = session.execute(select(db_now())).scalar_one()
        self.jobs.append(self.desk.job("grace", deadline_at=now + timedelta(hours=1)))

    @rule()
    def claim(self) -> None:
        with self.database.write() as session:
            session.execute(update(Task).values(run_after=db_now(-1.0)))
        for _ in range(2):
            if (claim := self.desk.take()) is not None:
                self.held.append(claim)
                self.claims[claim.task_id] += 1
                self.check_cap(claim.job.owner_id)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        claim = self.one(data)
        plan = PLAN if claim.name == "probe" else []
        with suppress(Stopped):
            self.desk.finish(claim, made(f"{claim.name}.mp4"), tasks=plan, publish=claim.name == "join")
            assert claim.task_id not in self.committed, "two epochs of one task committed"
            self.committed[claim.task_id] = claim.epoch

    @precondition(lambda self: self.held)
    @rule(data=st.data(), error=st.sampled_from([SourceUnreadable, ChildFailed, StorageUnavailable]))
    def fail(self, data: st.DataObject, error: type[MillError]) -> None:
        claim = self.one(data)
        refunded = error is StorageUnavailable and self.outages[claim.task_id] < self.desk.policy.max_outages
        with suppress(Stopped):
            self.desk.fail(claim, error())
            self.refunds[claim.task_id] += refunded
            self.outages[claim.task_id] += refunded

    @precondition(lambda self: any(job.deadline_at is not None for job in self.jobs_before.values()))
    @rule()
    def let_deadlines_pass(self) -> None:
        with self.database.write() as session:
            session.execute(update(Job).where(col(Job.deadline_at).is_not(None)).values(deadline_at=db_now(-1.0)))
        self.desk.queue.fail_overdue()

    @rule(which=st.integers(0, 1), cap=st.sampled_from([None, 1, 2]))
    def cap(self, which: int, cap: int | None) -> None:
        self.desk.limit(OWNERS[which], running_cap=cap)
        self.caps[OWNERS[which]] = cap

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        claim = self.one(data)
        with suppress(Stopped):
            self.desk.queue.release(claim, NOTHING)
            self.refunds[claim.task_id] += 1

    @precondition(lambda self: self.held)
    @rule(data=st.data(), progress=st.floats(0, 1))
    def heartbeat(self, data: st.DataObject, progress: float) -> None:
        claim = self.one(data)
        with suppress(Stopped):
            if self.desk.queue.heartbeat(claim, progress, "working"):
                self.desk.queue.acknowledge_cancel(claim, NOTHING)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def crash(self, data: st.DataObject) -> None:
        claim = self.one(data)
        if claim in self.running():
            self.desk.crash(claim)

    @rule(which=st.integers(0, 1), really=st.integers(0, 5))
    def cancel(self, which: int, really: int) -> None:
        if really:  # a cancelled job is the end of much that could go wrong
            return
        with suppress(JobEnded):
            self.desk.cancel(self.jobs[which])

    @precondition(lambda self: any(job.status is JobStatus.FAILED for job in self.jobs_before.values()))
    @rule(which=st.integers(0, 1))
    def retry(self, which: int) -> None:
        with suppress(JobNotFailed):
            dead = [task.id for task in self.before.values() if task.status is TaskStatus.FAILED]
            self.desk.retry(self.jobs[which])
            self.outages.update({id_: 0 for id_ in dead if self.desk.task(id_).status is not TaskStatus.FAILED})

    @rule(which=st.integers(0, 1), really=st.integers(0, 3))
    def delete(self, which: int, really: int) -> None:
        """A job that has ended is deleted, and its owner hands in another one."""
        if really:
            return
        job = self.jobs[which]
        with suppress(JobRunning):
            self.desk.delete(job)
            assert self.jobs_before[job].status in JOB_ENDED
            assert self.desk.tasks(job) == {}
            self.held = [claim for claim in self.held if claim.job.id != job]
            self.jobs[which] = self.desk.job("ada")

    @precondition(lambda self: self.held)
    @rule(data=st.data(), late=st.sampled_from(["finish", "release", "heartbeat"]))
    def be_overtaken(self, data: st.DataObject, late: str) -> None:
        """A worker is taken for dead, another one claims its task, and the first one writes all the same."""
        claim = self.one(data)
        if claim not in self.running():
            return
        self.desk.crash(claim)
        self.claim()
        with pytest.raises(Stopped):
            if late == "finish":
                self.desk.finish(claim)
            elif late == "release":
                self.desk.queue.release(claim, NOTHING)
            else:
                self.desk.queue.heartbeat(claim, 1.0, "late")

    def check_cap(self, owner: str) -> None:
        with self.database.read() as session:
            runs = select(func.count()).where(col(Task.owner_id) == owner, col(Task.status) == TaskStatus.RUNNING)
            count = session.scalar(runs) or 0
        cap = self.caps.get(owner)
        assert cap is None or count <= cap, "a claim went over its owner's cap"

    def running(self) -> list[Claim]:
        """The claims that hold their task."""
        holding = [claim for claim in self.held if self.before[claim.task_id].epoch == claim.epoch]
        return [claim for claim in holding if self.before[claim.task_id].status is TaskStatus.RUNNING]

    def one(self, data: st.DataObject) -> Claim:
        """A claim that holds its task or, where none does, one that has lost it."""
        return data.draw(st.sampled_from(self.running() or self.held[-2:]), label="claim")

    @invariant()
    def the_rows_keep_the_promises(self) -> None:
        with self.database.read() as session:
            tasks = {task.id: task for task in session.scalars(select(Task))}
            jobs = {job.id: job for job in session.scalars(select(Job))}
            outputs = session.scalars(select(Output)).all()
        for task in tasks.values():
            self.check_task(self.before.get(task.id), task)
        for job in jobs.values():
            statuses = [task.status for task in tasks.values() if task.job_id == job.id]
            self.check_job(self.jobs_before.get(job.id), job, statuses)
        assert all(output.epoch == self.committed[output.task_id] for output in outputs)
        self.before, self.jobs_before = tasks, jobs

    def check_task(self, before: Task | None, task: Task) -> None:
        if before is not None:
            assert task.epoch >= before.epoch
            assert before.status is task.status or task.status in TRANSITIONS[before.status]
        assert task.attempts == self.claims[task.id] - self.refunds[task.id] <= task.max_attempts
        assert (task.status is TaskStatus.RUNNING) == (task.lease_until is not None) == (task.worker is not None)
        assert (task.status is TaskStatus.COMPLETED) == (task.id in self.committed)
        if task.status is TaskStatus.COMPLETED:
            assert task.epoch == self.committed[task.id]

    def check_job(self, before: Job | None, job: Job, statuses: list[TaskStatus]) -> None:
        if before is not None:
            assert job.progress >= before.progress
            assert before.status is not JobStatus.CANCELLED or job.status is JobStatus.CANCELLED
        expected = JobStatus.CANCELLED if job.cancel_requested_at else roll_up(statuses)
        assert job.status is expected
        ended = job.status in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED)
        assert (job.completed_at is not None) is ended
        if ended:
            assert not CLAIMABLE & set(statuses)


SETTINGS = settings(max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
TestQueue: Any = QueueMachine.TestCase
TestQueue.settings = SETTINGS


def test_the_same_holds_on_postgres(postgres: Postgres) -> None:
    class OnPostgres(QueueMachine):
        def fresh(self) -> AbstractContextManager[str]:
            return postgres.database("migrated", migrate_at)

    run_state_machine_as_test(OnPostgres, settings=settings(SETTINGS, max_examples=15))
