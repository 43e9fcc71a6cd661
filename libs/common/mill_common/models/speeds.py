"""How fast this system has been."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import time_column


class StepSpeed(SQLModel, table=True):
    """What steps of one kind took for sources of one class. Only `mill_common.speeds` writes it."""

    __tablename__ = "step_speed"

    kind: str = Field(primary_key=True, max_length=32)
    picture: int = Field(primary_key=True, sa_type=sa.SmallInteger)  # class of the picture's size; -1: of any
    length: int = Field(primary_key=True, sa_type=sa.SmallInteger)  # class of the source's length; -1: of any
    jobs: int  # how many were measured
    seconds_per_second: float  # of a kind's tasks added up, for each second of the source: the median
    measured_at: datetime = time_column(now=True)
