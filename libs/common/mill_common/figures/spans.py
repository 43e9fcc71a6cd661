"""Minutes, hours and days: how long a time is made of few of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

MINUTE, HOUR, DAY = 1, 60, 1440
SPANS = (DAY, HOUR, MINUTE)  # in minutes; each holds the next a whole number of times


class Piece(NamedTuple):
    """All spans of one length that begin within a time."""

    minutes: int
    since: datetime
    until: datetime


def pieces(since: datetime, until: datetime, spans: Sequence[int] = SPANS) -> Iterator[Piece]:
    """The fewest spans that fill a time between two full minutes."""
    if since >= until or not spans:
        return
    first, last = -(-_number(since) // spans[0]) * spans[0], _number(until) // spans[0] * spans[0]
    if first >= last:
        yield from pieces(since, until, spans[1:])
        return
    yield from pieces(since, _at(first), spans[1:])
    yield Piece(spans[0], _at(first), _at(last))
    yield from pieces(_at(last), until, spans[1:])


def begin_of(at: datetime, minutes: int) -> datetime:
    """When the span began in which a time lies."""
    return _at(_number(at) // minutes * minutes)


def end_of(at: datetime, minutes: int) -> datetime:
    """When the span is over in which a time lies."""
    return begin_of(at, minutes) + timedelta(minutes=minutes)


def _number(at: datetime) -> int:
    return int(at.timestamp()) // 60


def _at(number: int) -> datetime:
    return datetime.fromtimestamp(number * 60, UTC)
