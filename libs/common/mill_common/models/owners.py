"""Who uses the mill, and with which credentials. Sizes are bytes, times UTC."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import JSON, time_column
from mill_common.ids import uuid7

_HAS_LANE = sa.text("has_lane IS TRUE")


class Owner(SQLModel, table=True):
    """Whose jobs share the mill fairly with everybody else's."""

    __tablename__ = "owner"
    __table_args__ = (sa.Index("ix_owner_lane", "id", postgresql_where=_HAS_LANE, sqlite_where=_HAS_LANE),)

    id: str = Field(primary_key=True, max_length=64)
    weight: float = 1.0  # with 2.0, twice as many tasks in turn as somebody with 1.0; above 0
    running_cap: int | None = None  # tasks of one queue at a time; None: as many as come in turn
    has_lane: bool = False  # its tasks wait apart from others': it has, or once had, a cap
    jobs_quota: int | None = None  # jobs that have not ended; this and the following: None is the server's default
    storage_quota: int | None = Field(default=None, sa_type=sa.BigInteger)
    max_source_bytes: int | None = Field(default=None, sa_type=sa.BigInteger)
    max_source_duration_s: float | None = None
    created_at: datetime = time_column(now=True)


class ApiKey(SQLModel, table=True):
    """A program's credential. Only its SHA-256 is kept."""

    __tablename__ = "api_key"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    owner_id: str = Field(foreign_key="owner.id", index=True, max_length=64)
    name: str = Field(max_length=100)
    prefix: str = Field(max_length=16)  # what a person may see of it
    digest: str = Field(max_length=64, unique=True)  # SHA-256, hexadecimal
    previous_digest: str | None = Field(default=None, max_length=64, index=True)  # of the secret before a rotation
    previous_until: datetime | None = time_column()  # how long that one does, too
    scopes: list[str] = Field(sa_type=JSON, default_factory=list)
    created_at: datetime = time_column(now=True)
    expires_at: datetime | None = time_column()
    last_used_at: datetime | None = time_column()
    revoked_at: datetime | None = time_column()
