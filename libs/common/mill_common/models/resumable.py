"""Uploads that arrive in pieces. Sizes are bytes, times UTC."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from mill_common.columns import time_column


class ResumableUpload(SQLModel, table=True):
    """How far an upload is, and which request may go on with it. Written only by its holder."""

    __tablename__ = "resumable_upload"

    upload_id: UUID = Field(foreign_key="upload.id", primary_key=True, ondelete="CASCADE")
    received: int = Field(default=0, sa_type=sa.BigInteger)  # acknowledged: in parts and the tail, never lost again
    tail_key: str | None = Field(default=None, max_length=512)  # what does not fill a part yet
    tail_size: int = Field(default=0, sa_type=sa.BigInteger)
    next_part: int = 1  # one number was promised to each holder, so that no two ever write the same part
    metadata_line: str | None = Field(default=None, sa_type=sa.Text)  # the client's own, given back unchanged
    holder: str | None = Field(default=None, max_length=32)  # the request that writes: the fence
    held_until: datetime | None = time_column()


class ReceivedPart(SQLModel, table=True):
    """A part that storage holds."""

    __tablename__ = "received_part"

    upload_id: UUID = Field(foreign_key="upload.id", primary_key=True, ondelete="CASCADE")
    number: int = Field(primary_key=True)
    etag: str = Field(max_length=128)
    size: int = Field(sa_type=sa.BigInteger)
