"""Queues in which too much waits, waits too long, or waits for nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, func, literal_column, select
from sqlmodel import col

from mill_common.alerts import Finding, Inhibition, Rule, View
from mill_common.clock import db_now
from mill_common.models import AlertLevel, Task
from mill_common.queue import TRANSCODE, TRANSCRIBE
from mill_common.queue.predicates import claimable, dead
from mill_common.settings import Settings
from mill_common.workers import WorkerState


def queues_of(view: View) -> list[str]:
    """The queues there are."""
    return sorted({TRANSCODE, TRANSCRIBE, *(worker.queue for worker in view.workers)})


class QueueDepth(Rule):
    """Too many tasks are due."""

    type = "queue_depth"

    def find(self, view: View) -> Iterator[Finding]:
        """One for each queue."""
        limit = view.settings.alert_queue_depth
        for queue in queues_of(view):
            # Ten times the threshold says enough: a count that goes on grows with the queue.
            depth = _count(view, _due(queue), 10 * limit)
            if depth > limit:
                several = "at least " if depth == 10 * limit else ""
                yield Finding(
                    level=AlertLevel.WARNING,
                    title=f"Queue depth: {queue}",
                    message=f"{several}{depth} tasks wait in {queue}, more than {limit}.",
                    labels={"queue": queue},
                    details={"depth": depth, "threshold": limit},
                )


class QueueAge(Rule):
    """A task has been due for too long."""

    type = "queue_age"

    def find(self, view: View) -> Iterator[Finding]:
        """One for each queue."""
        limit = view.settings.alert_queue_age_s
        for queue in queues_of(view):
            oldest = view.session.scalar(select(func.min(col(Task.run_after))).where(_due(queue)))
            age = (view.now - oldest).total_seconds() if oldest else 0.0
            if age > limit:
                yield Finding(
                    level=AlertLevel.WARNING,
                    title=f"Queue age: {queue}",
                    message=f"A task has waited in {queue} for {age:.0f} s, longer than {limit:g} s.",
                    labels={"queue": queue},
                    details={"oldest_seconds": round(age), "threshold_seconds": limit},
                )


class DeadLetters(Rule):
    """Many dead letters wait for somebody to retry or delete them."""

    type = "dead_letters"

    def find(self, view: View) -> Iterator[Finding]:
        """One for each queue."""
        limit = view.settings.alert_dead_letters
        for queue in queues_of(view):
            count = _count(view, dead() & (col(Task.queue) == queue), max(1000, 10 * limit))
            if count >= limit:
                yield Finding(
                    level=AlertLevel.WARNING,
                    title=f"Dead letters: {queue}",
                    message=f"{count} or more tasks of {queue} are dead letters; {limit} are worth a look.",
                    labels={"queue": queue},
                    details={"count": count, "threshold": limit},
                )


class NoWorker(Rule):
    """Tasks are due and no worker takes them: none is heard of, or all of them pause."""

    type = "no_worker"
    inhibits = (Inhibition(types=frozenset({"queue_depth", "queue_age"}), equal=("queue",)),)

    def for_s(self, settings: Settings) -> float:
        """A worker may take its time to start."""
        return settings.alert_no_worker_s

    def find(self, view: View) -> Iterator[Finding]:
        """One for each queue."""
        workers = view.workers
        for queue in queues_of(view):
            here = [worker for worker in workers if worker.queue == queue]
            if any(worker.state is WorkerState.RUNNING for worker in here) or not _count(view, _due(queue), 1):
                continue
            why = "; ".join(sorted({f"{worker.host}: {worker.reason or worker.state}" for worker in here}))
            yield Finding(
                level=AlertLevel.CRITICAL,
                title=f"No worker: {queue}",
                message=f"Tasks wait in {queue} and nobody takes them. {why or 'No worker is heard of.'}",
                labels={"queue": queue},
                details={"workers": len(here)},
            )


def _due(queue: str) -> ColumnElement[bool]:
    return claimable() & (col(Task.queue) == queue) & (col(Task.run_after) <= db_now())


def _count(view: View, condition: ColumnElement[bool], limit: int) -> int:
    some: Select[Any] = select(literal_column("1")).select_from(Task).where(condition).limit(limit)
    return view.session.scalar(select(func.count()).select_from(some.subquery())) or 0
