"""Sources that are handed in. Sizes are bytes, times UTC."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import time_column
from mill_common.ids import uuid7


class Upload(SQLModel, table=True):
    """A source that a client handed in, or is about to."""

    __tablename__ = "upload"
    __table_args__ = (sa.Index("ix_upload_owner_size", "owner_id", "size"),)

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    owner_id: str = Field(foreign_key="owner.id", max_length=64)
    filename: str = Field(max_length=255)
    content_type: str = Field(max_length=127)
    object_key: str = Field(max_length=512, unique=True)
    size: int = Field(sa_type=sa.BigInteger)
    sha256: str | None = Field(default=None, max_length=64)
    multipart_id: str | None = Field(default=None, max_length=512)
    created_at: datetime = time_column(now=True)
    completed_at: datetime | None = time_column()
    expires_at: datetime | None = time_column(index=True)
