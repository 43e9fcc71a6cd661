"""Kinds of values that requests and answers are made of."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

_NUMBER = re.compile(r"\s*[+-]?[\d_]*\.?[\d_]*\s*")


def _in_utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        return time.replace(tzinfo=UTC)
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside the years 1 to 9999") from None


def _dated(given: Any) -> Any:
    # Text that is a number would be taken for a Unix time, which nobody has been promised.
    if isinstance(given, str) and _NUMBER.fullmatch(given):
        raise ValueError("is no date and time")
    return given


def rfc3339(time: datetime) -> str:
    """A time as every answer shows it: UTC, to the millisecond."""
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rfc3339_or_none(time: datetime | None) -> str | None:
    """The same, of a time that may be missing."""
    return None if time is None else rfc3339(time)


def from_unix(seconds: float) -> datetime:
    """A Unix time as a point in time."""
    return datetime.fromtimestamp(seconds, UTC)


Time = Annotated[
    datetime,
    AfterValidator(_in_utc),
    PlainSerializer(rfc3339, return_type=str, when_used="json-unless-none"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A point in time, UTC; one without an offset is taken as UTC."""

TimeInQuery = Annotated[Time, BeforeValidator(_dated)]
"""A point in time, in a query."""

# NUL is valid in JSON and in no PostgreSQL text; other control characters have no place on one line.
LINE = r"^[^\x00-\x1f\x7f]*$"

Line = Annotated[str, Field(pattern=LINE)]
"""Text on one line."""

Filename = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f/\\]+$")]
"""A file's name without its folder."""

Owner = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""Who owns keys, uploads and jobs. Part of object keys, hence the narrow alphabet."""


CollectionName = Annotated[str, Field(min_length=1, max_length=64, pattern=LINE)]
"""The name under which an owner files jobs."""


def tidy_filename(name: str, fallback: str) -> str:
    """The last part of `name`, without control characters, at most 255 characters; `fallback` if nothing is left."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(character for character in last if character.isprintable())[:255].strip() or fallback
