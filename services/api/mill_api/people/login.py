"""People sign in, stay signed in, and sign out."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import update
from sqlmodel import Session, col, select
from starlette.requests import Request

from mill_api.audit import record, record_alone
from mill_api.auth import address_of, caller, limit
from mill_api.callers import Forbidden
from mill_api.openapi import operation
from mill_api.people.access_tokens import Access, make_access_token
from mill_api.people.passwords import hash_of, is_outdated, matches
from mill_api.people.sessions import Opened, end_session_of, end_sessions, open_session, rotate_session
from mill_api.rate_limits import Rate
from mill_api.resources import resources, signer
from mill_common.clock import db_now
from mill_common.errors import PermanentError
from mill_common.models import AuditOutcome, Role, User, UserSession

Password = Annotated[str, Field(min_length=1, max_length=1024)]
_EXAMPLE = "correct horse battery staple"
NewPassword = Annotated[
    str, Field(min_length=12, max_length=1024, description="At least 12 characters.", examples=[_EXAMPLE])
]


class LoginFailed(PermanentError):
    """The user's name or the password is wrong."""

    code = "login_failed"
    status = 401


class RefreshInvalid(PermanentError):
    """The refresh token does not do: sign in again."""

    code = "refresh_invalid"
    status = 401


class Credentials(BaseModel):
    """Who signs in."""

    model_config = ConfigDict(extra="forbid")

    username: Annotated[str, Field(min_length=1, max_length=64)]
    password: Password


class RefreshRequest(BaseModel):
    """A refresh token, which does once."""

    model_config = ConfigDict(extra="forbid")

    refresh_token: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]


class Tokens(BaseModel):
    """What a signed-in person's client holds."""

    access_token: str = Field(description="For `Authorization: Bearer …`.")
    token_type: str = "Bearer"  # noqa: S105 - RFC 6749's word
    expires_in: int = Field(description="Seconds that the access token does.")
    refresh_token: str = Field(description="Gives the next pair, once.")
    refresh_expires_in: int
    role: Role


class Me(BaseModel):
    """Who the caller is."""

    name: str = Field(description="As the audit log has it.")
    owner: str
    scopes: list[str]


class PasswordChange(BaseModel):
    """A new password, and the one until now."""

    model_config = ConfigDict(extra="forbid")

    current_password: Password
    new_password: NewPassword


@operation(tag="auth", body=Credentials, returns=Tokens, raises=[LoginFailed], scope=None, rate=Rate.LOGIN_ADDRESS)
def login(request: Request, body: Credentials) -> Tokens:
    """Sign in with a password. Attempts are limited for each user and each address."""
    limit(request, Rate.LOGIN, f"user:{body.username.lower()}")
    database, settings = resources(request).database, resources(request).settings
    with database.read() as session:
        user = session.exec(select(User).where(col(User.name) == _storable(body.username))).first()
    known = user if user and user.disabled_at is None else None
    if not matches(body.password, known.password_hash if known else None) or known is None:
        # A name that is nobody's may be a password in the wrong field: it is not written down.
        record_alone(request, AuditOutcome.REFUSED, 401, target=f"user:{user.name}" if user else None)
        raise LoginFailed

    values: dict[str, Any] = {"last_login_at": db_now()}
    if is_outdated(known.password_hash):
        values["password_hash"] = hash_of(body.password)

    def work(session: Session) -> Opened:
        opened = open_session(session, known, address=address_of(request), expires_s=settings.refresh_token_s)
        session.execute(update(User).where(col(User.id) == known.id).values(**values))
        record(session, request, target=f"user:{known.name}", actor=f"user:{known.name}")
        return opened

    return _tokens(request, database.run(work))


@operation(
    tag="auth", body=RefreshRequest, returns=Tokens, raises=[RefreshInvalid], scope=None, rate=Rate.LOGIN_ADDRESS
)
def refresh(request: Request, body: RefreshRequest) -> Tokens:
    """Get the next pair of tokens. A refresh token that is used twice ends the session."""
    expires_s = resources(request).settings.refresh_token_s
    opened = resources(request).database.run(
        lambda session: rotate_session(session, body.refresh_token, expires_s=expires_s)
    )
    if opened is None:
        raise RefreshInvalid
    return _tokens(request, opened)


@operation(tag="auth", status=204, body=RefreshRequest, scope=None, rate=Rate.LOGIN_ADDRESS)
def logout(request: Request, body: RefreshRequest) -> None:
    """Sign out: the session's tokens are refused from now on. One that has ended already changes nothing."""

    def work(session: Session) -> None:
        user = end_session_of(session, body.refresh_token)
        if user is not None:
            record(session, request, target=f"user:{user.name}", actor=f"user:{user.name}")

    resources(request).database.run(work)


@operation(tag="auth", returns=Me, scope="jobs")
def get_me(request: Request) -> Me:
    """Look who the credentials are for, and what they allow."""
    client = caller(request)
    return Me(name=client.name, owner=client.owner_id, scopes=sorted(client.scopes))


@operation(tag="auth", status=204, body=PasswordChange, raises=[LoginFailed, Forbidden], scope="jobs:read")
def change_password(request: Request, body: PasswordChange) -> None:
    """Change one's own password. The person's other sessions end."""
    client = caller(request)
    if client.session_id is None:
        raise Forbidden("A key has no password.")
    limit(request, Rate.LOGIN, client.name)
    database = resources(request).database
    with database.read() as session:
        user = session.get_one(User, client.key_id)
    if not matches(body.current_password, user.password_hash):
        record_alone(request, AuditOutcome.REFUSED, 401, target=client.name)
        raise LoginFailed
    kept = hash_of(body.new_password)

    def work(session: Session) -> None:
        session.execute(update(User).where(col(User.id) == user.id).values(password_hash=kept))
        others = (col(UserSession.user_id) == user.id) & (col(UserSession.id) != client.session_id)
        end_sessions(session, others)
        record(session, request, target=client.name)

    database.run(work)


def _tokens(request: Request, opened: Opened) -> Tokens:
    settings = resources(request).settings
    access = Access(opened.user.id, opened.session_id)
    return Tokens(
        access_token=make_access_token(signer(request), access, settings.access_token_s),
        expires_in=settings.access_token_s,
        refresh_token=opened.refresh_token,
        refresh_expires_in=settings.refresh_token_s,
        role=opened.user.role,
    )


def _storable(name: str) -> str:
    return name.lower().replace("\0", "\ufffd")  # what no name has
