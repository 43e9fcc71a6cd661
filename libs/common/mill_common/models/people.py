"""People who sign in, and their sessions. Times are UTC."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlmodel import Field, SQLModel

from mill_common.columns import by_value, time_column
from mill_common.ids import uuid7


class Role(StrEnum):
    """What a person may do; each includes the one before."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"


class User(SQLModel, table=True):
    """A person. Only an Argon2 hash of the password is kept."""

    __tablename__ = "user_account"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    name: str = Field(max_length=64, unique=True)
    owner_id: str = Field(foreign_key="owner.id", max_length=64)  # whose jobs are theirs
    role: Role = Field(default=Role.VIEWER, sa_type=by_value(Role))
    password_hash: str = Field(max_length=255)
    created_at: datetime = time_column(now=True)
    last_login_at: datetime | None = time_column()
    disabled_at: datetime | None = time_column()


class UserSession(SQLModel, table=True):
    """A signed-in person's session: from the login until it expires or is revoked."""

    __tablename__ = "user_session"

    id: UUID = Field(default_factory=uuid7, primary_key=True)
    user_id: UUID = Field(foreign_key="user_account.id", index=True, ondelete="CASCADE")
    refresh_digest: str = Field(max_length=64)  # SHA-256 of the only refresh token that does
    address: str = Field(default="", max_length=64)
    created_at: datetime = time_column(now=True)
    refreshed_at: datetime = time_column(now=True)
    expires_at: datetime = time_column()
    revoked_at: datetime | None = time_column()
