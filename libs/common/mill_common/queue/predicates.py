"""Conditions on a task's status, written so that the partial indexes serve them.

SQLite uses a partial index only where the statement itself, not a bound value, says what the index says.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, bindparam
from sqlmodel import col

from mill_common.models import Task
from mill_common.states import CLAIMABLE, TaskStatus

_CLAIMABLE = sorted(CLAIMABLE)  # in the order in which the indexes name them


def claimable() -> ColumnElement[bool]:
    """Whether a task may be claimed once it is due."""
    return col(Task.status).in_(bindparam("claimable", _CLAIMABLE, expanding=True, literal_execute=True))


def running() -> ColumnElement[bool]:
    """Whether a worker holds the task."""
    return col(Task.status) == bindparam("running", TaskStatus.RUNNING, literal_execute=True)


def dead() -> ColumnElement[bool]:
    """Whether the task is a dead letter."""
    return col(Task.status) == bindparam("dead", TaskStatus.FAILED, literal_execute=True)
