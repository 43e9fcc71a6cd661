"""Owners, and the operator's first key."""

from __future__ import annotations

import sys
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from mill_api.auth import ADMIN
from mill_api.keys.credentials import digest_of, is_mistyped, new_key, prefix_of
from mill_api.standing import key_holds
from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.errors import PermanentError
from mill_common.models import ApiKey, Job, Owner
from mill_common.queue import JobNotFound
from mill_common.settings import Settings

ADMIN_OWNER = "admin"
FROM_ENVIRONMENT = "MILL_ADMIN_KEY"
MIN_LENGTH = 16  # characters of a key that the operator chose


class AdminKeyRefused(PermanentError):
    """MILL_ADMIN_KEY does not do as a key."""

    code = "admin_key_refused"


def ensure_owner(session: Session, owner_id: str) -> None:
    """Make sure that an owner's row is there; races with others who do the same end well."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    session.execute(insert(Owner).values(id=owner_id).on_conflict_do_nothing())


def owned_job(session: Session, job_id: UUID, owner_id: str) -> Job:
    """The owner's job of that id.

    Raises:
        JobNotFound: There is none, or it is another owner's.
    """
    job = session.exec(select(Job).where(col(Job.id) == job_id, col(Job.owner_id) == owner_id)).first()
    if job is None:
        raise JobNotFound
    return job


def ensure_admin_key(database: Database, settings: Settings) -> None:
    """Make sure of the key in `MILL_ADMIN_KEY`; without one, and without any admin key, make one and print it once.

    A key that an earlier `MILL_ADMIN_KEY` set is revoked: whoever changes the setting means to.

    Raises:
        AdminKeyRefused: The setting is too short, not ASCII, or a mistyped key.
    """
    chosen = settings.admin_key.get_secret_value() if settings.admin_key else None
    if chosen is not None:
        _check(chosen)
    made = None
    with database.write() as session:
        ensure_owner(session, ADMIN_OWNER)
        # Gateways that start together take turns from here on, so that one first key is made.
        session.get_one(Owner, ADMIN_OWNER, with_for_update=True)
        if chosen is not None:
            _set_chosen(session, chosen)
        elif not _has_admin_key(session):
            made = new_key()
            session.add(_admin_key(made, name="first key"))
    if made is not None:
        print(f"The first admin key, shown only now: {made}", file=sys.stderr, flush=True)


def _check(key: str) -> None:
    if len(key) < MIN_LENGTH or not key.isascii() or not key.isprintable() or " " in key:
        raise AdminKeyRefused(f"MILL_ADMIN_KEY takes at least {MIN_LENGTH} visible ASCII characters.")
    if is_mistyped(key):
        raise AdminKeyRefused("MILL_ADMIN_KEY looks like a key of this system with a typing error.")


def _set_chosen(session: Session, key: str) -> None:
    digest = digest_of(key)
    others = update(ApiKey).where(col(ApiKey.name) == FROM_ENVIRONMENT, col(ApiKey.digest) != digest)
    session.execute(others.where(col(ApiKey.revoked_at).is_(None)).values(revoked_at=db_now()))
    row = session.exec(select(ApiKey).where(col(ApiKey.digest) == digest)).first()
    if row is None:
        session.add(_admin_key(key, name=FROM_ENVIRONMENT))
    else:
        row.revoked_at = row.expires_at = None
        row.scopes = [ADMIN]


def _has_admin_key(session: Session) -> bool:
    return any(ADMIN in key.scopes for key in session.exec(select(ApiKey).where(*key_holds())))


def _admin_key(key: str, *, name: str) -> ApiKey:
    return ApiKey(
        owner_id=ADMIN_OWNER,
        name=name,
        prefix=prefix_of(key) or FROM_ENVIRONMENT,
        digest=digest_of(key),
        scopes=[ADMIN],
    )
