"""Who calls, and what they hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal
from uuid import UUID

from mill_common.errors import PermanentError
from mill_common.models import Role

Scope = Literal["admin", "jobs", "jobs:read", "jobs:write", "operator", "viewer"]
VIEWER, OPERATOR, ADMIN = "viewer", "operator", "admin"
RUNS_THE_MILL = frozenset({VIEWER, OPERATOR, ADMIN})  # of these, each includes the one before
OF_ROLE: Mapping[Role, frozenset[str]] = {
    Role.VIEWER: frozenset({VIEWER, "jobs:read"}),
    Role.OPERATOR: frozenset({OPERATOR, "jobs"}),
    Role.ADMIN: frozenset({ADMIN}),
}


class Unauthenticated(PermanentError):
    """A valid API key is needed in X-API-Key, or an access token in Authorization."""

    code = "unauthenticated"
    status = 401
    headers: ClassVar[Mapping[str, str]] = {
        "WWW-Authenticate": 'ApiKey realm="mediamill", Bearer realm="mediamill"',
    }


class Forbidden(PermanentError):
    """The key or the person's role does not allow this."""

    code = "forbidden"
    status = 403


@dataclass(frozen=True)
class Caller:
    """Who a request comes from: a program with a key, or a person with a session."""

    owner_id: str
    key_id: UUID  # of a person: the user's
    scopes: frozenset[str]
    name: str  # as the audit log has it: "key:7Qm2xR9a", "user:ada"
    session_id: UUID | None = None  # of a person

    @property
    def is_admin(self) -> bool:
        """Whether the scope `admin` is held, which includes every other."""
        return ADMIN in self.scopes

    def may(self, scope: str | None) -> bool:
        """Whether a scope is held: itself, `jobs` for `jobs:read`, `operator` for `viewer`, or `admin`."""
        if scope is None or self.is_admin or scope in self.scopes:
            return True
        return (OPERATOR if scope == VIEWER else scope.partition(":")[0]) in self.scopes
