"""Whether keys and sessions still hold."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, or_
from sqlmodel import Session, col, select

from mill_api.callers import Caller
from mill_common.clock import db_now
from mill_common.models import ApiKey, User, UserSession


def key_holds() -> tuple[ColumnElement[bool], ...]:
    """What is true of a key that was neither revoked nor has expired."""
    expires = col(ApiKey.expires_at)
    return col(ApiKey.revoked_at).is_(None), or_(expires.is_(None), expires > db_now())


def session_holds() -> tuple[ColumnElement[bool], ...]:
    """What is true of a session, joined with its user, that has not ended."""
    return (
        col(UserSession.revoked_at).is_(None),
        col(UserSession.expires_at) > db_now(),
        col(User.disabled_at).is_(None),
    )


def refused_by_now(session: Session, callers: Collection[Caller]) -> set[Caller]:
    """Those of `callers` who were let in and would not be any more."""
    ids = {caller.key_id for caller in callers}
    sessions = {caller.session_id for caller in callers if caller.session_id}
    people = select(User.id).where(col(User.disabled_at).is_(None))
    holding = _found(session, select(ApiKey.id).where(*key_holds()), col(ApiKey.id), ids)
    holding |= _found(session, people, col(User.id), ids - holding)
    opened = select(UserSession.id).join(User).where(*session_holds())
    open_sessions = _found(session, opened, col(UserSession.id), sessions)
    return {
        caller
        for caller in callers
        if caller.key_id not in holding or (caller.session_id and caller.session_id not in open_sessions)
    }


def _found(session: Session, good: Any, column: Any, ids: set[UUID]) -> set[UUID]:
    return set(session.exec(good.where(column.in_(ids))).all()) if ids else set()
