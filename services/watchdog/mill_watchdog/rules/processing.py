"""Work that fails, takes too long or stands still."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import func, select
from sqlmodel import col

from mill_common.alerts import Finding, Inhibition, Rule, View
from mill_common.models import AlertLevel, Attempt, Outcome, Task
from mill_common.queue.predicates import dead, running
from mill_watchdog.rules.queues import queues_of

AT_MOST = 1000  # rows looked at for one finding: beyond that, a number is "at least"
TRIED = (Outcome.COMPLETED, Outcome.RETRYING, Outcome.FAILED, Outcome.LEASE_EXPIRED)


class ProcessingFailure(Rule):
    """Tasks ended as dead letters lately. One alert for each stage and error code, however many tasks."""

    type = "processing_failure"

    def find(self, view: View) -> Iterator[Finding]:
        """One for each stage and code, about its latest task."""
        failed: dict[tuple[str, str], list[Task]] = defaultdict(list)
        for task in _lately_dead(view):
            failed[task.kind, task.error_code or "internal_error"].append(task)
        for (kind, code), tasks in failed.items():
            yield _failure(kind, code, tasks, view)


class ErrorRate(Rule):
    """Too many of the attempts that ended lately did not complete."""

    type = "error_rate"
    inhibits = (Inhibition(types=frozenset({"dead_letters"})),)

    def find(self, view: View) -> Iterator[Finding]:
        """One, with the rate."""
        since = view.now - timedelta(seconds=view.settings.alert_window_s)
        counted = select(col(Attempt.outcome), func.count()).where(col(Attempt.ended_at) >= since)
        found = view.session.execute(counted.group_by(col(Attempt.outcome)))
        ended = Counter({outcome: count for outcome, count in found})  # noqa: C416 - rows are no plain tuples
        total = sum(ended[outcome] for outcome in TRIED)
        if total < view.settings.alert_error_rate_least:
            return
        rate = 1.0 - ended[Outcome.COMPLETED] / total
        if rate > view.settings.alert_error_rate:
            yield Finding(
                level=AlertLevel.ERROR,
                title="High error rate",
                message=f"{rate:.0%} of {total} attempts failed; more than {view.settings.alert_error_rate:.0%} did.",
                details={"error_rate": round(rate, 4), "threshold": view.settings.alert_error_rate, "attempts": total},
            )


class SlowProcessing(Rule):
    """A stage took too long on average lately."""

    type = "slow_processing"

    def find(self, view: View) -> Iterator[Finding]:
        """One for each stage."""
        limit = view.settings.alert_slow_s
        since = view.now - timedelta(seconds=view.settings.alert_window_s)
        ended = (
            select(col(Task.kind), col(Attempt.started_at), col(Attempt.ended_at))
            .join(Task, col(Task.id) == col(Attempt.task_id))
            .where(col(Attempt.ended_at) >= since, col(Attempt.outcome) == Outcome.COMPLETED)
            .order_by(col(Attempt.ended_at).desc())
            .limit(AT_MOST)
        )
        took: dict[str, list[float]] = defaultdict(list)
        for kind, began, done in view.session.execute(ended):
            took[kind].append((done - began).total_seconds())
        for kind, seconds in took.items():
            average = sum(seconds) / len(seconds)
            if average > limit:
                yield Finding(
                    level=AlertLevel.WARNING,
                    title=f"Slow processing: {kind}",
                    message=f"{kind} took {average:.0f} s on average, more than {limit:g} s.",
                    labels={"stage": kind},
                    details={"duration_seconds": round(average, 1), "threshold_seconds": limit, "count": len(seconds)},
                    stage=kind,
                )


class StuckTask(Rule):
    """A task runs, its worker is heard of, and nothing progresses."""

    type = "stuck_task"

    def find(self, view: View) -> Iterator[Finding]:
        """One for each task."""
        limit = view.settings.alert_stuck_s
        still = col(Task.progress_at) < view.now - timedelta(seconds=limit)
        stuck = select(Task).where(running(), still).order_by(col(Task.progress_at)).limit(AT_MOST)
        for task in view.session.scalars(stuck):
            seconds = (view.now - task.progress_at).total_seconds() if task.progress_at else 0.0
            yield Finding(
                level=AlertLevel.WARNING,
                title=f"Stuck: {task.name}",
                message=f"Job {task.job_id} has stood still at {task.name} for {seconds / 60:.0f} minutes.",
                labels={"task": str(task.id), "stage": task.kind},
                details={"duration_seconds": round(seconds), "worker": task.worker, "progress": task.progress},
                job_id=task.job_id,
                owner_id=task.owner_id,
                stage=task.kind,
            )


def _lately_dead(view: View) -> Iterator[Task]:
    since = view.now - timedelta(seconds=view.settings.alert_window_s)
    for queue in queues_of(view):
        lately = select(Task).where(dead(), col(Task.queue) == queue, col(Task.finished_at) >= since)
        yield from view.session.scalars(lately.order_by(col(Task.finished_at).desc()).limit(AT_MOST))


def _failure(kind: str, code: str, tasks: list[Task], view: View) -> Finding:
    latest = tasks[0]
    took = (latest.finished_at - latest.started_at) if latest.finished_at and latest.started_at else timedelta(0)
    more = f" So did {len(tasks) - 1} more." if len(tasks) > 1 else ""
    return Finding(
        level=AlertLevel.ERROR,
        title=f"Processing Failed: {kind}",
        message=f"Job {latest.job_id} failed at {latest.name}: {latest.error_message}{more}",
        labels={"stage": kind, "code": code},
        details={
            "error_code": code,
            "duration_seconds": round(took.total_seconds(), 1),
            "attempts": latest.attempts,
            "count": len(tasks),
            "window_seconds": view.settings.alert_window_s,
        },
        job_id=latest.job_id,
        owner_id=latest.owner_id,
        stage=kind,
    )
