"""API keys, made and revoked by administrators."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator
from sqlalchemy import update
from sqlmodel import Session, col, select
from starlette.requests import Request

from mill_api.audit import record
from mill_api.auth import ADMIN, caller
from mill_api.callers import Scope
from mill_api.fields import LINE, Owner, Time
from mill_api.keys.credentials import digest_of, new_key, prefix_of
from mill_api.openapi import operation
from mill_api.owners import FROM_ENVIRONMENT, ensure_owner
from mill_api.problems import Fault, RequestInvalid
from mill_api.resources import resources
from mill_common.clock import db_now
from mill_common.errors import PermanentError
from mill_common.models import ApiKey


class KeyNotFound(PermanentError):
    """There is no such key."""

    code = "key_not_found"
    status = 404


class KeyRequest(BaseModel):
    """A key to be made."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=LINE)]
    owner: Owner | None = Field(default=None, description="Whom it acts for; the caller's own owner if absent.")
    scopes: list[Scope] = Field(default=["jobs"], min_length=1, max_length=6)
    expires_at: Time | None = None

    @field_validator("name")
    @classmethod
    def _nobody_elses(cls, name: str) -> str:
        if name == FROM_ENVIRONMENT:
            raise ValueError("is the name of the key in that setting, which a change of the setting revokes")
        return name


class KeyFromSetting(PermanentError):
    """The key is set by MILL_ADMIN_KEY; change the setting."""

    code = "key_from_setting"
    status = 409


class KeyRevoked(PermanentError):
    """The key is revoked; make another one."""

    code = "key_revoked"
    status = 409


class KeyRotation(BaseModel):
    """How a secret is replaced."""

    model_config = ConfigDict(extra="forbid")

    overlap_seconds: int = Field(
        default=24 * 3600, ge=0, le=30 * 24 * 3600, description="How long the old secret does, too; 0 ends it at once."
    )


class KeyView(BaseModel):
    """A key without its secret."""

    id: UUID
    name: str
    owner: str
    scopes: list[str]
    prefix: str
    created_at: Time
    expires_at: Time | None
    last_used_at: Time | None
    revoked_at: Time | None
    previous_until: Time | None = Field(description="How long the secret before the last rotation does, too.")


class KeyMade(KeyView):
    """A key, this once with its secret."""

    key: str


class KeyList(BaseModel):
    """Every key of every owner, the newest first."""

    keys: list[KeyView]


@operation(tag="keys", status=201, body=KeyRequest, returns=KeyMade, scope=ADMIN)
def create_key(request: Request, body: KeyRequest) -> KeyMade:
    """Make an API key. It is shown in this answer and never again."""
    key = new_key()
    owner = body.owner or caller(request).owner_id
    with resources(request).database.write() as session:
        if body.expires_at is not None and not session.scalar(select(db_now() < body.expires_at)):
            raise RequestInvalid("expires_at is past.", [Fault(loc=["body", "expires_at"], message="is past")])
        ensure_owner(session, owner)
        row = ApiKey(
            owner_id=owner,
            name=body.name,
            prefix=prefix_of(key) or "",
            digest=digest_of(key),
            scopes=sorted(set(body.scopes)),
            expires_at=body.expires_at,
        )
        session.add(row)
        session.flush()
        session.refresh(row)
        record(session, request, target=f"key:{row.prefix}", after=_told(row))
        return KeyMade(**_view(row).model_dump(), key=key)


@operation(tag="keys", returns=KeyList, scope=ADMIN)
def list_keys(request: Request) -> KeyList:
    """List API keys, revoked ones included."""
    with resources(request).database.read() as session:
        rows = session.exec(select(ApiKey).order_by(col(ApiKey.id).desc())).all()
    return KeyList(keys=[_view(row) for row in rows])


@operation(tag="keys", status=204, raises=[KeyNotFound], scope=ADMIN)
def revoke_key(request: Request, key_id: UUID) -> None:
    """Revoke an API key. It is refused from now on; revoking it again changes nothing."""
    with resources(request).database.write() as session:
        row = _revoke(session, key_id)
        record(session, request, target=f"key:{row.prefix}", before=_told(row), after={"revoked": True})
    request.app.state.known_callers.forget()


@operation(
    tag="keys",
    body=KeyRotation,
    body_required=False,
    returns=KeyMade,
    raises=[KeyNotFound, KeyFromSetting, KeyRevoked],
    scope=ADMIN,
)
def rotate_key(request: Request, key_id: UUID, body: KeyRotation) -> KeyMade:
    """Give a key a new secret, shown in this answer and never again. The old one does for a while, too.

    A secret that an earlier rotation left is refused from now on.
    """
    key = new_key()
    with resources(request).database.write() as session:
        row = session.get(ApiKey, key_id, with_for_update=True)
        if row is None:
            raise KeyNotFound
        if row.revoked_at is not None:
            raise KeyRevoked
        if row.name == FROM_ENVIRONMENT:
            raise KeyFromSetting
        before = _told(row)
        row.previous_digest = row.digest
        row.previous_until = db_now(body.overlap_seconds)  # type: ignore[assignment]  # by the database's clock
        row.digest, row.prefix = digest_of(key), prefix_of(key) or ""
        session.flush()
        session.refresh(row)
        record(session, request, target=f"key:{row.prefix}", before=before, after=_told(row))
        made = KeyMade(**_view(row).model_dump(), key=key)
    request.app.state.known_callers.forget()
    return made


def _revoke(session: Session, key_id: UUID) -> ApiKey:
    row = session.get(ApiKey, key_id)
    if row is None:
        raise KeyNotFound
    session.execute(
        update(ApiKey).where(col(ApiKey.id) == key_id, col(ApiKey.revoked_at).is_(None)).values(revoked_at=db_now())
    )
    return row


def _told(row: ApiKey) -> dict[str, Any]:
    return {"name": row.name, "owner": row.owner_id, "scopes": row.scopes, "prefix": row.prefix}


def _view(row: ApiKey) -> KeyView:
    return KeyView(**row.model_dump(exclude={"owner_id", "digest", "previous_digest"}), owner=row.owner_id)
