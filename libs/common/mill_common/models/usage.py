"""What keys asked of the interface. Sizes are bytes."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel


class Usage(SQLModel, table=True):
    """Requests of one key to one route on one day (UTC), as many as took about the same time."""

    __tablename__ = "usage"

    owner_id: str = Field(primary_key=True, max_length=64)
    day: date = Field(primary_key=True)
    key_id: UUID = Field(primary_key=True)
    route: str = Field(primary_key=True, max_length=128)  # method and path with its parameters' names
    bucket: int = Field(primary_key=True, sa_type=sa.SmallInteger)  # of the logarithmic histogram of latencies
    requests: int = Field(sa_type=sa.BigInteger)
    errors: int = Field(sa_type=sa.BigInteger)  # answered with 400 and above
    bytes_in: int = Field(sa_type=sa.BigInteger)  # of bodies
    bytes_out: int = Field(sa_type=sa.BigInteger)


class Traffic(SQLModel, table=True):
    """Requests of all keys to one route in one minute, for those who watch. It is kept for days, usage for months."""

    __tablename__ = "traffic"

    minute: int = Field(primary_key=True)  # of Unix time, in which they were written down
    route: str = Field(primary_key=True, max_length=128)
    requests: int = Field(sa_type=sa.BigInteger)
    errors: int = Field(sa_type=sa.BigInteger)  # answered with 400 and above
