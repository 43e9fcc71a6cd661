"""The sources of a job that merges several. Sizes are bytes."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel


class JobSource(SQLModel, table=True):
    """One of a job's several sources, as it was named when the job was asked for. Never changed."""

    __tablename__ = "job_source"

    job_id: UUID = Field(foreign_key="job.id", primary_key=True, ondelete="CASCADE")
    position: int = Field(primary_key=True, sa_type=sa.SmallInteger)  # from 0
    upload_id: UUID | None = Field(default=None, foreign_key="upload.id", index=True)
    filename: str = Field(max_length=255)
    object_key: str | None = Field(default=None, max_length=512)
    url: str | None = Field(default=None, max_length=2048)
    size: int | None = Field(default=None, sa_type=sa.BigInteger)
    sha256: str | None = Field(default=None, max_length=64)
