"""The queue as workers and the watchdog use it: one transaction a call, wake-ups after the commit."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from sqlalchemy import Connection, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlmodel import Session

from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.errors import LeaseLost, MillError, PermanentError, TaskCancelled
from mill_common.models import Outcome
from mill_common.queue import lease, outcome
from mill_common.queue.claim import claim as claim_next
from mill_common.queue.deadline import fail_overdue_jobs
from mill_common.queue.outcome import Failure
from mill_common.queue.policy import Policy
from mill_common.queue.progress import raise_job_progress
from mill_common.queue.reap import AT_ONCE, reap
from mill_common.queue.rows import claimable_queues
from mill_common.queue.types import Claim, NewOutput, Spent, TaskResult
from mill_common.queue.wakeups import overdue_wakeups
from mill_common.states import TaskStatus
from mill_common.tracing import taken_back, tracing

T = TypeVar("T")

PATIENCE_S = 30.0  # how long the end of a claim waits for a database that is gone
PAUSE_S = 0.25
SWEEPERS = 2  # at once, when very many leases have run out
A_FEW = 1000  # as many may run out at once without anything being wrong


class Wakes(Protocol):
    """Whoever sends wake-ups."""

    def wake(self, queue: str, count: int = 1) -> None:
        """Send `count` wake-ups to `queue`. Never raises: what is not sent is sent again later."""


class TaskQueue:
    """The task queue on one database."""

    def __init__(self, database: Database, policy: Policy, dispatcher: Wakes) -> None:
        self.database = database
        self.policy = policy
        self._dispatcher = dispatcher

    def claim(self, queue: str, worker: str) -> Claim | None:
        """Take the next task of `queue`."""
        return self.database.transact(
            lambda connection: claim_next(connection, queue=queue, worker=worker, lease_s=self.policy.lease_s)
        )

    def heartbeat(self, claim: Claim, progress: float, stage: str, spent: Spent | None = None) -> bool:
        """Renew a claim; True if its task was cancelled. Raises `LeaseLost`."""

        def work(session: Session) -> bool:
            return lease.heartbeat(
                session, claim, lease_s=self.policy.lease_s, progress=progress, stage=stage, spent=spent
            )

        cancelled = self.database.run(work)
        # On its own, because a heartbeat must not hold its task while it waits for the job's row.
        self.database.run(lambda session: raise_job_progress(session, claim.job.id))
        return cancelled

    def finish(self, claim: Claim, result: TaskResult, outputs: Sequence[NewOutput], spent: Spent) -> None:
        """Complete a claim. Raises `LeaseLost` or `TaskCancelled`."""

        def work(connection: Connection) -> frozenset[str]:
            return outcome.finish(connection, claim, result, outputs=outputs, spent=spent, policy=self.policy)

        def settled(session: Session, _: Outcome) -> frozenset[str]:
            return claimable_queues(session, claim.job.id)

        self._wake(self._end(claim, lambda: self.database.transact(work), settled))

    def fail(self, claim: Claim, error: BaseException, spent: Spent) -> TaskStatus:
        """Record a failed attempt. Raises `LeaseLost` or `TaskCancelled`."""
        code = error.code if isinstance(error, MillError) else MillError.code
        message = error.message if isinstance(error, MillError) else f"{type(error).__name__} in {claim.kind}"
        failure = Failure(
            code=code, message=message, permanent=isinstance(error, PermanentError), outage=_is_outage(error)
        )

        def work(session: Session) -> TaskStatus:
            return outcome.fail(session, claim, failure, spent=spent, policy=self.policy)

        def settled(_: Session, ended: Outcome) -> TaskStatus:
            return TaskStatus.FAILED if ended is Outcome.FAILED else TaskStatus.RETRYING

        return self._end(claim, lambda: self.database.run(work), settled)

    def acknowledge_cancel(self, claim: Claim, spent: Spent) -> None:
        """Say that a cancelled claim's work has stopped. Raises `LeaseLost`."""
        self._end(
            claim,
            lambda: self.database.run(lambda session: outcome.acknowledge_cancel(session, claim, spent)),
            lambda *_: None,
        )

    def release(self, claim: Claim, spent: Spent) -> None:
        """Hand a claim back with its attempt refunded. Raises `LeaseLost` or `TaskCancelled`."""

        def work(session: Session) -> frozenset[str]:
            return lease.release(session, claim, spent, self.policy)

        self._wake(self._end(claim, lambda: self.database.run(work), lambda *_: frozenset({claim.queue})))

    def now(self) -> datetime:
        """The database's time."""
        with self.database.read() as session:
            now: datetime = session.execute(select(db_now())).scalar_one()
        return now

    def hand_back_unanswered(
        self, queue: str, worker: str, since: datetime, known: Collection[tuple[UUID, int]]
    ) -> int:
        """Hand back what `worker` has claimed since then and does not know of; `known` are tasks with their epochs.

        A claim whose COMMIT was not answered leaves such a task, which nobody would work on until its lease is over.
        Returns how many.
        """
        with self.database.read() as session:
            claims = lease.unanswered(session, queue=queue, worker=worker, since=since)
        strays = [claim for claim in claims if (claim.task_id, claim.epoch) not in known]
        for stray in strays:
            with suppress(LeaseLost):  # it has come to an end meanwhile
                self._let_go(stray)
        return len(strays)

    def _let_go(self, stray: Claim) -> None:
        try:
            self.release(stray, Spent())
        except TaskCancelled:
            self.acknowledge_cancel(stray, Spent())

    def reap_expired(self) -> int:
        """Take every task whose lease has run out from its worker. Returns how many."""
        taken = self._reap(A_FEW)
        if taken < A_FEW:
            return taken + self._reap_the_rest()
        # A host with hundreds of workers is gone: the database has more than one core for it.
        with ThreadPoolExecutor(SWEEPERS) as pool:
            return taken + sum(pool.map(lambda _: self._reap_the_rest(), range(SWEEPERS)))

    def _reap_the_rest(self) -> int:
        reaped = 0
        while taken := self._reap():
            reaped += taken
        return reaped

    def _reap(self, limit: int = AT_ONCE) -> int:
        sweep = self.database.run(lambda session: reap(session, self.policy, note_all=tracing(), limit=limit))
        for task in sweep.noted:
            taken_back(self.database, task.job_id, task.task_id, died=task.died)
        return sweep.taken

    def fail_overdue(self) -> int:
        """Fail every job whose deadline has passed. Returns how many."""
        failed = 0
        while step := self.database.run(fail_overdue_jobs):
            failed += step
        return failed

    def release_stale(self) -> int:
        """Take every task from its worker whose last heartbeat is older than a lease. Returns how many."""
        self.database.run(lambda session: lease.expire_silent(session, silent_s=self.policy.lease_s))
        return self.reap_expired()

    def resend(self) -> int:
        """Send again the wake-ups that are overdue. Returns how many."""
        overdue = self.database.run(lambda session: overdue_wakeups(session, self.policy))
        for queue, count in overdue.items():
            self._dispatcher.wake(queue, count)
        return overdue.total()

    def _end(self, claim: Claim, end: Callable[[], T], settled: Callable[[Session, Outcome], T]) -> T:
        # A database that restarts is back in seconds, and what the attempt made is worth waiting for. A connection that
        # breaks during COMMIT leaves open whether it happened; asking again settles it, for either the claim still
        # holds and ends now, or this very epoch's history says how it has ended.
        patience = time.monotonic() + PATIENCE_S
        asked_before = False
        while True:
            try:
                return end()
            except LeaseLost:
                with self.database.read() as session:
                    ended = outcome.outcome_of(session, claim) if asked_before else None
                    if ended in (None, Outcome.LEASE_EXPIRED):
                        raise
                    return settled(session, ended)
            except (OperationalError, InterfaceError):
                if time.monotonic() > patience:
                    raise
                asked_before = True
            time.sleep(PAUSE_S)

    def _wake(self, queues: Iterable[str]) -> None:
        for queue in queues:
            self._dispatcher.wake(queue)


def _is_outage(error: BaseException) -> bool:
    down = isinstance(error, OperationalError | InterfaceError)
    return down or (isinstance(error, MillError) and not error.blames_task)
