"""The rows that worker processes keep of themselves."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlmodel import Field, SQLModel

from mill_common.columns import JSON, by_value, time_column
from mill_common.ids import uuid7


class WorkerState(StrEnum):
    """What a worker is up to."""

    RUNNING = "running"
    PAUSED = "paused"  # claims nothing for now; `reason` says why
    DRAINING = "draining"  # claims nothing any more, and ends with what it runs
    STOPPED = "stopped"


class WorkerWish(StrEnum):
    """What an operator wants of a worker."""

    PAUSE = "pause"
    DRAIN = "drain"


class Worker(SQLModel, table=True):
    """A worker process on one queue. Only the worker itself writes it, but for `wish`.

    What it runs is said by the tasks' rows.

    A worker that was killed leaves its row open. Its `heartbeat_at` tells.
    """

    __tablename__ = "worker"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    name: str = Field(max_length=128, index=True)  # as in `task.worker`
    service: str = Field(max_length=32)
    queue: str = Field(max_length=32)
    host: str = Field(max_length=255)
    pid: int
    version: str = Field(max_length=32)
    capability: dict[str, Any] = Field(sa_type=JSON, default_factory=dict)
    slots: int
    state: WorkerState = Field(default=WorkerState.RUNNING, sa_type=by_value(WorkerState))
    reason: str | None = Field(default=None, max_length=255)
    wish: WorkerWish | None = Field(default=None, sa_type=by_value(WorkerWish))  # an operator's; read, not written
    health: dict[str, Any] | None = Field(default=None, sa_type=JSON)  # status and message by tool, at its last checkup
    started_at: datetime = time_column(now=True)
    heartbeat_at: datetime = time_column(now=True)
    stopped_at: datetime | None = time_column()
