"""What the columns of every table are made of."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from mill_common.clock import UtcDateTime, db_now

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

JSON = sa.JSON().with_variant(JSONB(), "postgresql")


def by_value(enum: type[StrEnum]) -> sa.Enum:
    """A column type that stores an enum's values, not its names."""
    return sa.Enum(enum, native_enum=False, length=16, values_callable=lambda kind: [member.value for member in kind])


def time_column(*, now: bool = False, index: bool = False) -> Any:
    """A field for a time in UTC; with `now`, the row's insertion is its default."""
    # A default of SQL, not Python: the database's clock is the only one that counts.
    return Field(default=None, sa_type=UtcDateTime, index=index, sa_column_kwargs={"default": db_now()} if now else {})
