"""Videos handed in."""

from __future__ import annotations

from datetime import datetime

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
