"""What was made. Sizes are bytes, times UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import JSON, time_column
from mill_common.ids import uuid7


class Output(SQLModel, table=True):
    """An object, or a tree of them, that one epoch of one task made."""

    __tablename__ = "output"
    __table_args__ = (sa.UniqueConstraint("job_id", "name"),)

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    job_id: UUID = Field(foreign_key="job.id", ondelete="CASCADE")
    task_id: UUID = Field(foreign_key="task.id", index=True, ondelete="CASCADE")
    epoch: int
    name: str = Field(max_length=255)
    kind: str = Field(max_length=32)
    object_key: str = Field(max_length=512)
    size: int = Field(sa_type=sa.BigInteger)
    sha256: str = Field(max_length=64)
    content_type: str = Field(max_length=127)
    intermediate: bool = False
    facts: dict[str, Any] = Field(sa_type=JSON, default_factory=dict)
    files: dict[str, int] = Field(sa_type=JSON, default_factory=dict)
    created_at: datetime = time_column(now=True)
    published_at: datetime | None = time_column()
