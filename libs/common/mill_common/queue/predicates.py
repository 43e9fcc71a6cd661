"""Conditions on a task's status, written so that the partial indexes serve them.

SQLite uses a partial index only where the statement itself, not a bound value, says what the index says.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, literal_column
from sqlmodel import col

from mill_common.models import Task
from mill_common.states import CLAIMABLE, TaskStatus


def _said(status: TaskStatus) -> ColumnElement[str]:
    return literal_column(f"'{status.value}'")


_CLAIMABLE = [_said(status) for status in sorted(CLAIMABLE)]  # in the order in which the indexes name them
_RUNNING = _said(TaskStatus.RUNNING)
_FAILED = _said(TaskStatus.FAILED)


def claimable(task: Any = Task) -> ColumnElement[bool]:
    """Whether a task may be claimed once it is due."""
    return col(task.status).in_(_CLAIMABLE)


def running(task: Any = Task) -> ColumnElement[bool]:
    """Whether a worker holds the task."""
    return col(task.status) == _RUNNING


def dead(task: Any = Task) -> ColumnElement[bool]:
    """Whether the task is a dead letter."""
    return col(task.status) == _FAILED
