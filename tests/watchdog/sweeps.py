"""Sweeps as the scheduler does them, in this process."""

from __future__ import annotations

import threading
from datetime import timedelta
from io import BytesIO
from typing import Any
from uuid import UUID

from sqlalchemy import update
from sqlmodel import SQLModel, col

from mill_common.resources import Resources
from mill_common.runs import Result, RunView, run_history
from mill_watchdog.scheduler import Scheduler


def sweep(resources: Resources, name: str, **parameters: Any) -> Result:
    """Do one sweep, which must complete; its result."""
    result = Scheduler(resources, threading.Event()).run_now(name, parameters)
    assert result is not None, latest(resources, name).error
    return result


def latest(resources: Resources, name: str) -> RunView:
    """A schedule's latest run."""
    with resources.database.read() as session:
        return run_history(session, schedule=name, limit=1)[0]


def age(resources: Resources, table: type[SQLModel], row_id: UUID, *columns: str, by: timedelta) -> None:
    """Let a row's times lie further back."""
    with resources.database.write() as session:
        row = session.get_one(table, row_id)
        older = {name: at - by for name in columns if (at := getattr(row, name)) is not None}
        session.execute(update(table).where(col(table.id) == row_id).values(**older))  # type: ignore[attr-defined]


def store(resources: Resources, key: str) -> str:
    """Store five bytes."""
    resources.store.put(key, BytesIO(b"bytes"), size=5, content_type="video/mp4")
    return key


def stored(resources: Resources, prefix: str = "jobs/") -> set[str]:
    """The keys that storage holds."""
    return {stat.key for stat in resources.store.list(prefix)}
