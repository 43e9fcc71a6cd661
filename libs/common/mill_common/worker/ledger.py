"""What workers run at this moment, as the rows say it."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select
from sqlmodel import Session, col

from mill_common.clock import db_now
from mill_common.models import Task
from mill_common.queue.predicates import running


def running_lines(session: Session) -> Iterator[str]:
    """A line for each running task, the longest-running one first."""
    rows = session.execute(select(Task, db_now()).where(running()).order_by(col(Task.started_at), col(Task.id))).all()
    for task, now in rows:
        run_s = (now - task.started_at).total_seconds() if task.started_at else 0.0
        silent_s = (now - task.heartbeat_at).total_seconds() if task.heartbeat_at else run_s
        yield (
            f"{task.id}: kind={task.kind} stage={task.stage} progress={task.progress:.0%}"
            f" running={run_s:.0f}s heartbeat_age={silent_s:.0f}s worker={task.worker}"
        )
