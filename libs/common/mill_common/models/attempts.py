"""The history of claims. Sizes are bytes, times UTC."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import by_value, time_column


class Outcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    RETRYING = "retrying"
    POSTPONED = "postponed"  # for an outage, with the attempt handed back
    FAILED = "failed"
    CANCELLED = "cancelled"
    HANDED_BACK = "handed_back"
    LEASE_EXPIRED = "lease_expired"


class Attempt(SQLModel, table=True):
    """One claim of a task and what came of it."""

    __tablename__ = "attempt"
    __table_args__ = (
        # Written in the order of their beginnings: an index of blocks finds the last hour at no cost.
        sa.Index("ix_attempt_started", "started_at", postgresql_using="brin"),
        sa.Index("ix_attempt_ended", "ended_at", "outcome"),
    )

    task_id: UUID = Field(foreign_key="task.id", primary_key=True, ondelete="CASCADE")
    epoch: int = Field(primary_key=True)
    worker: str = Field(max_length=128)
    started_at: datetime = time_column(now=True)
    ended_at: datetime | None = time_column()
    outcome: Outcome | None = Field(default=None, sa_type=by_value(Outcome))
    error_code: str | None = Field(default=None, max_length=64)
    error_message: str | None = Field(default=None, max_length=2000)
    cpu_s: float = 0.0  # of child processes
    peak_memory: int = Field(default=0, sa_type=sa.BigInteger)
    bytes_in: int = Field(default=0, sa_type=sa.BigInteger)
    bytes_out: int = Field(default=0, sa_type=sa.BigInteger)
    log_tail: str = Field(default="", sa_type=sa.Text)
