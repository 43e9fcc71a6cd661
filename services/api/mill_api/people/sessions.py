"""Sessions: opened by a password, kept by a refresh token that does once, ended by whoever may."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, update
from sqlmodel import Session, col, select

from mill_api.callers import OF_ROLE, Caller, Unauthenticated
from mill_api.people.access_tokens import read_access_token
from mill_api.standing import session_holds
from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.ids import uuid7
from mill_common.models import User, UserSession
from mill_common.signing import Signer

_SECRET_BYTES = 32


@dataclass(frozen=True)
class Opened:
    """A session and the refresh token that is good for it now."""

    session_id: UUID
    user: User
    refresh_token: str


def open_session(session: Session, user: User, *, address: str, expires_s: int) -> Opened:
    """Begin a session of a person whose password was right."""
    session_id = uuid7()
    token = _new_token(session_id)
    session.add(
        UserSession(
            id=session_id,
            user_id=user.id,
            refresh_digest=_digest(token),
            address=address[:64],
            expires_at=db_now(expires_s),  # type: ignore[arg-type]  # by the database's clock
        )
    )
    return Opened(session_id, user, token)


def rotate_session(session: Session, token: str, *, expires_s: int) -> Opened | None:
    """Take a refresh token and give the next one; None if it does not do.

    A token that was used before means that two hold it: then nobody's does any more.
    """
    found = _of_token(session, token)
    if found is None:
        return None
    row, user = found
    if row.refresh_digest != _digest(token):
        end_sessions(session, col(UserSession.id) == row.id)
        return None
    following = _new_token(row.id)
    values = {"refresh_digest": _digest(following), "refreshed_at": db_now(), "expires_at": db_now(expires_s)}
    session.execute(update(UserSession).where(col(UserSession.id) == row.id).values(**values))
    return Opened(row.id, user, following)


def end_session_of(session: Session, token: str) -> User | None:
    """Revoke the session of a refresh token, an old one included. Returns whose it was."""
    found = _of_token(session, token)
    if found is None:
        return None
    end_sessions(session, col(UserSession.id) == found[0].id)
    return found[1]


def end_sessions(session: Session, which: ColumnElement[bool]) -> None:
    """Revoke sessions: their access tokens are refused from now on, too."""
    session.execute(update(UserSession).where(which, col(UserSession.revoked_at).is_(None)).values(revoked_at=db_now()))


def caller_with(database: Database, signer: Signer, token: str) -> Caller:
    """Whose access token this is.

    Raises:
        Unauthenticated: It is none of ours, has expired, or its session has ended.
    """
    access = read_access_token(signer, token)
    if access is None:
        raise Unauthenticated("The access token is invalid or has expired.")
    with database.read() as session:
        user = session.exec(
            select(User).join(UserSession).where(col(UserSession.id) == access.session_id, *session_holds())
        ).first()
    if user is None or user.id != access.user_id:
        raise Unauthenticated("The session has ended.")
    return _caller(user, access.session_id)


def person(database: Database, user_id: UUID) -> Caller | None:
    """A person by id, for what they handed on, such as a ticket; None if it is nobody's, or disabled."""
    with database.read() as session:
        user = session.exec(select(User).where(col(User.id) == user_id, col(User.disabled_at).is_(None))).first()
    return _caller(user) if user else None


def _caller(user: User, session_id: UUID | None = None) -> Caller:
    return Caller(user.owner_id, user.id, OF_ROLE[user.role], f"user:{user.name}", session_id)


def _of_token(session: Session, token: str) -> tuple[UserSession, User] | None:
    try:
        session_id = UUID(hex=token.partition(".")[0])
    except ValueError:
        return None
    held = select(UserSession, User).join(User).where(col(UserSession.id) == session_id, *session_holds())
    return session.exec(held.with_for_update(of=UserSession)).first()


def _new_token(session_id: UUID) -> str:
    return f"{session_id.hex}.{secrets.token_urlsafe(_SECRET_BYTES)}"


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
