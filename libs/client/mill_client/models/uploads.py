"""Videos handed in."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from .base import Model


class Upload(Model):
    """A video handed in, not yet a job's."""

    id: str
    filename: str
    size: int
    status: str
    sha256: str | None = None
    content_type: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None


class DirectPart(Model):
    """Where one part of a direct upload goes."""

    number: int
    url: str


class DirectUpload(Upload):
    """An upload whose bytes go to storage without passing through the server. URLs are signed and expire."""

    method: Literal["put", "multipart"]
    url: str | None = None
    part_size: int | None = None
    parts: list[DirectPart] | None = None
