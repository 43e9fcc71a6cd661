"""API keys."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from .base import Model


class Key(Model):
    """An API key. `key`, the secret itself, is told once, when it is made."""

    id: str
    name: str
    owner: str | None = None
    scopes: list[str] = Field(default_factory=list)
    prefix: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    previous_until: datetime | None = None
    key: str | None = Field(default=None, repr=False)


class KeyList(Model):
    """Every key, without the secrets."""

    keys: list[Key]
