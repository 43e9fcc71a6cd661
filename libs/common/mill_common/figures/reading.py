"""What ended since a time: what has been added up, and what has come since."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, literal, or_, select
from sqlmodel import Session, col

from mill_common.figures.ended import ended
from mill_common.figures.fold import ATTEMPTS
from mill_common.figures.marks import mark_of
from mill_common.figures.spans import MINUTE, pieces
from mill_common.figures.totals import Ended, Totals
from mill_common.intervals import step_of
from mill_common.models import Attempt, AttemptFigures, Outcome


def attempt_totals(session: Session, since: datetime) -> dict[Ended, Totals]:
    """The attempts that ended since a full minute. For a session that sees one moment: see `Database.snapshot`."""
    mark = mark_of(session, ATTEMPTS)
    found: dict[Ended, Totals] = defaultdict(Totals)
    if mark is not None and mark > since:
        for row in session.execute(_added_up(since, mark)):
            found[Ended(row.kind, row.outcome, row.error_code)].add(Totals.of(row, row.durations))
    for _, alike, totals in ended(session, max(since, mark) if mark else since):
        found[alike].add(totals)
    return dict(found)


def successes(session: Session, since: datetime, minutes: int) -> Counter[int]:
    """How many attempts were completed in each so many minutes since a full minute, from 0 on."""
    mark = mark_of(session, ATTEMPTS)
    added_up = col(AttemptFigures.minutes) == MINUTE, col(AttemptFigures.outcome) == Outcome.COMPLETED
    known = _by_place(col(AttemptFigures.begins_at), func.sum(col(AttemptFigures.attempts)), since, minutes)
    counted = _by_place(col(Attempt.ended_at), func.count(), max(since, mark) if mark else since, minutes, origin=since)
    found: Counter[int] = Counter()
    for statement in (known.where(*added_up), counted.where(col(Attempt.outcome) == Outcome.COMPLETED)):
        found.update({int(place): int(count) for place, count in session.execute(statement)})
    return found


def _by_place(at: Any, count: Any, since: datetime, minutes: int, origin: datetime | None = None) -> Select[Any]:
    first = int((origin or since).timestamp()) // 60
    place = ((step_of(at, literal(60)) - first) // minutes).label("place")
    return select(place, count).where(at >= since).group_by(place)


def _added_up(since: datetime, until: datetime) -> Select[Any]:
    spans = [
        (col(AttemptFigures.minutes) == piece.minutes)
        & (col(AttemptFigures.begins_at) >= piece.since)
        & (col(AttemptFigures.begins_at) < piece.until)
        for piece in pieces(since, until)
    ]
    columns = [getattr(AttemptFigures, name) for name in AttemptFigures.model_fields]
    return select(*columns).where(or_(*spans))
