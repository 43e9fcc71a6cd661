"""What is seen of a running system, and what is told to it while it runs. Sizes are bytes, times UTC."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import time_column
from mill_common.ids import uuid7


class SystemSample(SQLModel, table=True):
    """One look at the machine of one process."""

    __tablename__ = "system_sample"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    taken_at: datetime = time_column(index=True)
    service: str = Field(max_length=32)
    host: str = Field(max_length=255)
    pid: int
    cpu_percent: float
    memory_percent: float
    disk_percent: float  # of the file system that holds scratch, or data, whichever is fuller
    active_tasks: int  # of this process
    scratch_bytes: int = Field(sa_type=sa.BigInteger)


class RuntimeSetting(SQLModel, table=True):
    """A setting that every process follows while it runs; without a row, its environment's holds."""

    __tablename__ = "runtime_setting"

    name: str = Field(primary_key=True, max_length=64)
    value: str = Field(max_length=255)
    set_at: datetime = time_column(now=True)
