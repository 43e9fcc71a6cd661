"""The first administrator, from the settings."""

from __future__ import annotations

from sqlmodel import col, select

from mill_api.owners import ensure_owner
from mill_api.people.passwords import hash_of
from mill_common.database import Database
from mill_common.models import Owner, Role, User
from mill_common.settings import Settings


def ensure_first_admin(database: Database, settings: Settings) -> None:
    """Make the user of `MILL_ADMIN_USER` and `MILL_ADMIN_PASSWORD`. One who is there keeps role and password."""
    name, password = settings.admin_user, settings.admin_password
    if name is None or password is None:
        return
    named = select(User).where(col(User.name) == name)
    with database.read() as session:
        if session.exec(named).first() is not None:
            return
    kept = hash_of(password.get_secret_value())
    with database.write() as session:
        ensure_owner(session, name)
        # Gateways that start together take turns from here on.
        session.get_one(Owner, name, with_for_update=True)
        if session.exec(named).first() is None:
            session.add(User(name=name, owner_id=name, role=Role.ADMIN, password_hash=kept))
