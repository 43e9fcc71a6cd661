"""What became of work, added up, so that nobody has to count it again. Sizes are bytes, times UTC."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.clock import UtcDateTime
from mill_common.columns import JSON, by_value, time_column
from mill_common.ids import uuid7
from mill_common.models.attempts import Outcome


class AttemptFigures(SQLModel, table=True):
    """The attempts of one kind that ended alike within a minute, an hour or a day. It outlives their jobs."""

    __tablename__ = "attempt_figures"

    minutes: int = Field(primary_key=True, sa_type=sa.SmallInteger)  # how long: 1, 60 or 1440
    begins_at: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    kind: str = Field(primary_key=True, max_length=32)  # of the task
    outcome: Outcome = Field(primary_key=True, sa_type=by_value(Outcome))
    error_code: str = Field(primary_key=True, max_length=64)  # empty without one
    attempts: int = Field(sa_type=sa.BigInteger)
    took_s: float
    cpu_s: float
    peak_memory: int = Field(sa_type=sa.BigInteger)
    bytes_in: int = Field(sa_type=sa.BigInteger)
    bytes_out: int = Field(sa_type=sa.BigInteger)
    durations: dict[str, int] = Field(sa_type=JSON)  # how many took how long, by the bucket of `mill_common.histogram`


class Stock(SQLModel, table=True):
    """Completed jobs, completed tasks and uploads: as they were counted, less what has gone since.

    The sum of all rows is how many there are of those that were there at `FiguresMark`'s time.
    """

    __tablename__ = "stock"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    kind: str = Field(default="", max_length=32)  # of tasks; empty in a row of jobs and uploads
    tasks: int = Field(default=0, sa_type=sa.BigInteger)
    jobs: int = Field(default=0, sa_type=sa.BigInteger)
    video_s: float = 0.0
    stored_bytes: int = Field(default=0, sa_type=sa.BigInteger)
    upload_bytes: int = Field(default=0, sa_type=sa.BigInteger)


class FiguresMark(SQLModel, table=True):
    """Up to when something has been added up; what came later is counted in the rows themselves."""

    __tablename__ = "figures_mark"

    name: str = Field(primary_key=True, max_length=16)
    at: datetime = time_column()
