"""Up to when something has been added up, and up to when it could be."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlmodel import Session, col

from mill_common.models import FiguresMark
from mill_common.runs.ledger import now

MARGIN_S = 60.0

# A transaction writes the time at which its statement began, and nobody sees that before it is committed. One that has
# written nothing yet has no number, but it has `MARGIN_S` to get one.
_OLDEST_WRITER = text(
    "SELECT min(xact_start) FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
)


def settled(session: Session, latest: datetime | None = None) -> datetime:
    """A full minute before which nothing will end any more: all that has is committed. Not after `latest`."""
    until = now(session) - timedelta(seconds=MARGIN_S)
    until = min(until, latest) if latest else until
    if session.get_bind().dialect.name != "sqlite":  # there, one transaction writes at a time
        oldest: datetime | None = session.scalar(_OLDEST_WRITER)
        until = min(until, oldest) if oldest else until
    return until.replace(second=0, microsecond=0)


def mark_of(session: Session, name: str, *, lock: bool = False) -> datetime | None:
    """Up to when it has been added up; None if it never was."""
    found = select(col(FiguresMark.at)).where(col(FiguresMark.name) == name)
    at: datetime | None = session.scalar(found.with_for_update() if lock else found)
    return at


def set_mark(session: Session, name: str, at: datetime) -> None:
    """Remember up to when it has been added up."""
    session.merge(FiguresMark(name=name, at=at))
