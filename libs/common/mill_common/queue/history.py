"""What earlier tasks of a job left behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import Session, col

from mill_common.models import Output, Task
from mill_common.queue.types import NewOutput
from mill_common.states import TaskStatus


def job_outputs(session: Session, job_id: UUID) -> dict[str, NewOutput]:
    """Every output of the job's completed tasks, by name."""
    rows = session.scalars(select(Output).where(col(Output.job_id) == job_id).order_by(col(Output.name)))
    fields = NewOutput.__dataclass_fields__
    return {row.name: NewOutput(**{name: getattr(row, name) for name in fields}) for row in rows}


def task_result(session: Session, job_id: UUID, task_name: str) -> Mapping[str, Any]:
    """The result of a completed task; empty if there is none."""
    completed = select(col(Task.result)).where(
        col(Task.job_id) == job_id, col(Task.name) == task_name, col(Task.status) == TaskStatus.COMPLETED
    )
    return session.scalar(completed) or {}
