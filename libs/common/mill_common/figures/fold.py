"""Adds up attempts that have ended: an hour at a time, each once."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from functools import partial

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from mill_common.clock import UtcDateTime, db_now
from mill_common.database import Database
from mill_common.figures.ended import ended
from mill_common.figures.marks import mark_of, set_mark, settled
from mill_common.figures.spans import DAY, HOUR, MINUTE, begin_of, end_of
from mill_common.figures.totals import Ended, Totals
from mill_common.models import Attempt, AttemptFigures

ATTEMPTS = "attempts"
KEEP_DAYS = 33  # 744 hours are the most that anybody may ask for

Folded = dict[tuple[datetime, Ended], Totals]


def fold_attempts(database: Database, latest: datetime | None = None) -> int:
    """Add up an hour at most of what ended since the last time. How many attempts; 0 if there is nothing left to add.

    With `latest`, what ended from then on is left for later. Two at once do it once: whoever is second is told 0.
    """
    with database.read() as session:
        until = settled(session, latest)
        since = mark_of(session, ATTEMPTS)
        first = _first(session, since, until)
    if first is None:
        return 0
    until = min(until, end_of(first, HOUR))
    try:
        return database.run(partial(_fold, since=since, first=begin_of(first, MINUTE), until=until))
    except IntegrityError:  # another one began with the very first hour, too
        return 0


def forget_figures(session: Session) -> int:
    """Remove what nobody may ask for any more. Returns how many rows."""
    old = delete(AttemptFigures).where(col(AttemptFigures.begins_at) < db_now(-86400.0 * KEEP_DAYS))
    return int(session.execute(old).rowcount)  # type: ignore[attr-defined]  # a DELETE's result has it


def _first(session: Session, since: datetime | None, until: datetime) -> datetime | None:
    at = col(Attempt.ended_at)
    earliest = select(func.min(at, type_=UtcDateTime())).where(at < until)
    found: datetime | None = session.scalar(
        earliest.where(at >= since) if since else earliest.where(at >= db_now(-86400.0 * KEEP_DAYS))
    )
    return found


def _fold(session: Session, since: datetime | None, first: datetime, until: datetime) -> int:
    if mark_of(session, ATTEMPTS, lock=True) != since:
        return 0  # somebody else's, who was first
    folded: Folded = defaultdict(Totals)
    for minute, alike, totals in ended(session, first, until):
        folded[minute, alike].add(totals)
    _write(session, MINUTE, folded)
    for minutes, part in ((HOUR, MINUTE), (DAY, HOUR)):
        _close(session, minutes, part, begin_of(since or first, minutes), begin_of(until, minutes))
    set_mark(session, ATTEMPTS, until)
    return sum(totals.attempts for totals in folded.values())


def _close(session: Session, minutes: int, part: int, since: datetime, until: datetime) -> None:
    """Add up the parts of spans that are over by now."""
    parts = select(AttemptFigures).where(
        col(AttemptFigures.minutes) == part,
        col(AttemptFigures.begins_at) >= since,
        col(AttemptFigures.begins_at) < until,
    )
    folded: Folded = defaultdict(Totals)
    for row in session.scalars(parts):
        folded[begin_of(row.begins_at, minutes), Ended(row.kind, row.outcome, row.error_code)].add(
            Totals.of(row, row.durations)
        )
    _write(session, minutes, folded)


def _write(session: Session, minutes: int, folded: Folded) -> None:
    rows = [
        {"minutes": minutes, "begins_at": at, **alike._asdict(), **totals.columns()}
        for (at, alike), totals in folded.items()
    ]
    if rows:
        session.execute(insert(AttemptFigures), rows)
