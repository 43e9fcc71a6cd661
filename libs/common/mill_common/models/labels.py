"""What clients wrote on their jobs, one row a key, so that an index finds it."""

from __future__ import annotations

from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

LABEL_LENGTH = 255  # characters; a longer value is kept with the job, but nobody looks for it


class JobLabel(SQLModel, table=True):
    """One entry of a job's metadata. Written once with the job, so that its many changes touch no such index."""

    __tablename__ = "job_label"
    __table_args__ = (sa.Index("ix_job_label_owner", "owner_id", "name", "value", "job_id"),)

    job_id: UUID = Field(foreign_key="job.id", primary_key=True, ondelete="CASCADE")
    name: str = Field(primary_key=True, max_length=100)
    owner_id: str = Field(max_length=64)
    value: str = Field(max_length=LABEL_LENGTH)  # text as it is, anything else as JSON
