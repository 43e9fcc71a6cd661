"""What an operator has paused. Times are UTC."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from mill_common.columns import time_column


class PausedQueue(SQLModel, table=True):
    """A queue of which no worker claims anything."""

    __tablename__ = "paused_queue"

    queue: str = Field(primary_key=True, max_length=32)
    paused_by: str = Field(max_length=128)
    reason: str | None = Field(default=None, max_length=255)
    paused_at: datetime = time_column(now=True)
