"""Users, as administrators keep them."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select
from starlette.requests import Request

from mill_api.audit import record
from mill_api.auth import ADMIN, VIEWER
from mill_api.fields import Owner, Time
from mill_api.openapi import operation
from mill_api.owners import ensure_owner
from mill_api.people.login import NewPassword
from mill_api.people.passwords import hash_of
from mill_api.people.sessions import end_sessions
from mill_api.resources import resources
from mill_common.clock import db_now
from mill_common.errors import PermanentError
from mill_common.models import Role, User, UserSession

UserName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]


class UserNotFound(PermanentError):
    """There is no such user."""

    code = "user_not_found"
    status = 404


class UserExists(PermanentError):
    """There is a user of that name already."""

    code = "user_exists"
    status = 409


class UserRequest(BaseModel):
    """A person to be let in."""

    model_config = ConfigDict(extra="forbid")

    name: UserName
    password: NewPassword
    role: Role = Role.VIEWER
    owner: Owner | None = Field(default=None, description="Whose jobs are theirs; the user's name if absent.")


class UserChange(BaseModel):
    """What is to be different. What is left out, or null, stays as it is."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    password: NewPassword | None = None
    disabled: bool | None = None


class UserView(BaseModel):
    """A user."""

    id: UUID
    name: str
    role: Role
    owner: str
    created_at: Time
    last_login_at: Time | None
    disabled_at: Time | None


class UserList(BaseModel):
    """Every user, by name."""

    users: list[UserView]


@operation(tag="admin", returns=UserList, scope=VIEWER)
def list_users(request: Request) -> UserList:
    """List users."""
    with resources(request).database.read() as session:
        rows = session.exec(select(User).order_by(col(User.name))).all()
    return UserList(users=[_view(row) for row in rows])


@operation(tag="admin", status=201, body=UserRequest, returns=UserView, raises=[UserExists], scope=ADMIN)
def create_user(request: Request, body: UserRequest) -> UserView:
    """Let a person in."""
    owner, kept = body.owner or body.name, hash_of(body.password)

    def work(session: Session) -> UserView:
        ensure_owner(session, owner)
        row = User(name=body.name, owner_id=owner, role=body.role, password_hash=kept)
        session.add(row)
        session.flush()
        session.refresh(row)
        record(session, request, target=f"user:{row.name}", after=_told(row))
        return _view(row)

    try:
        return resources(request).database.run(work)
    except IntegrityError:
        raise UserExists from None


@operation(tag="admin", returns=UserView, raises=[UserNotFound], scope=VIEWER)
def get_user(request: Request, user_id: UUID) -> UserView:
    """Look at a user."""
    with resources(request).database.read() as session:
        return _view(_found(session, user_id))


@operation(tag="admin", body=UserChange, returns=UserView, raises=[UserNotFound], scope=ADMIN)
def change_user(request: Request, user_id: UUID, body: UserChange) -> UserView:
    """Change a user's role or password, or shut them out.

    A new password and a shut door end the person's sessions; a new role counts from the next request on.
    """
    kept = hash_of(body.password) if body.password else None

    def work(session: Session) -> UserView:
        row = _found(session, user_id)
        before = _told(row)
        values: dict[str, Any] = {"role": body.role or row.role, "password_hash": kept or row.password_hash}
        if body.disabled is not None:
            values["disabled_at"] = db_now() if body.disabled else None
        session.execute(update(User).where(col(User.id) == user_id).values(**values))
        if kept or body.disabled:
            end_sessions(session, col(UserSession.user_id) == user_id)
        session.refresh(row)
        after = {**_told(row), **({"password": "changed"} if kept else {})}
        record(session, request, target=f"user:{row.name}", before=before, after=after)
        return _view(row)

    return resources(request).database.run(work)


@operation(tag="admin", status=204, raises=[UserNotFound], scope=ADMIN)
def delete_user(request: Request, user_id: UUID) -> None:
    """Remove a user. What they did stays in the audit log; their owner's jobs stay, too."""

    def work(session: Session) -> None:
        row = _found(session, user_id)
        session.execute(delete(User).where(col(User.id) == user_id))
        record(session, request, target=f"user:{row.name}", before=_told(row))

    resources(request).database.run(work)


def _found(session: Session, user_id: UUID) -> User:
    row = session.get(User, user_id)
    if row is None:
        raise UserNotFound
    return row


def _view(row: User) -> UserView:
    return UserView(**row.model_dump(exclude={"owner_id", "password_hash"}), owner=row.owner_id)


def _told(row: User) -> dict[str, Any]:
    return {"role": row.role, "owner": row.owner_id, "disabled": row.disabled_at is not None}
