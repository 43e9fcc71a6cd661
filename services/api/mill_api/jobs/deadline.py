"""By when a job is wanted."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationError, WithJsonSchema
from sqlmodel import Session, select

from mill_api.fields import Time
from mill_api.problems import Fault, RequestInvalid
from mill_common.clock import db_now

LONGEST_S = 366 * 24 * 3600

_TIME = TypeAdapter[datetime](Time)


def _read(given: Any) -> datetime | float | None:
    # One check for both forms, so that an error names the field alone.
    if given is None:
        return None
    if isinstance(given, int | float) and not isinstance(given, bool):
        if not 1 <= given <= LONGEST_S:
            raise ValueError(f"takes 1 to {LONGEST_S} seconds from now")
        return float(given)
    if not isinstance(given, str | datetime):
        raise ValueError("takes a time, or a number of seconds from now")  # noqa: TRY004 - pydantic wants it
    try:
        return _TIME.validate_python(given)
    except ValidationError:
        raise ValueError("takes a time, or a number of seconds from now") from None


Deadline = Annotated[
    datetime | float | None,
    PlainValidator(_read),
    PlainSerializer(lambda given: given.isoformat() if isinstance(given, datetime) else given, when_used="json"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "format": "date-time"},
                {"type": "number", "minimum": 1, "maximum": LONGEST_S},
                {"type": "null"},
            ]
        }
    ),
]
"""A point in time, or seconds from now."""


def deadline_at(session: Session, given: datetime | float | None) -> datetime | None:
    """The point in time, by the database's clock.

    Raises:
        RequestInvalid: It has passed already, or is too far away.
    """
    if given is None:
        return None
    if isinstance(given, float):
        return session.scalar(select(db_now(given)))
    now = session.scalar(select(db_now()))
    assert now is not None
    if not timedelta(0) < given - now <= timedelta(seconds=LONGEST_S):
        fault = Fault(loc=["body", "deadline"], message="takes a time that is still to come, at most a year from now")
        raise RequestInvalid("body: the deadline has passed or is too far away", [fault])
    return given
