"""People who sign in."""

from __future__ import annotations

from datetime import datetime

from .base import Model


class User(Model):
    """A person, with the role `viewer`, `operator` or `admin`, and the owner whose jobs are theirs."""

    id: str
    name: str
    role: str
    owner: str
    created_at: datetime | None = None
    last_login_at: datetime | None = None
    disabled_at: datetime | None = None


class UserList(Model):
    """Every user, by name."""

    users: list[User]
