"""The orders of a list, and cursors that say where in one a page ended."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, func, literal, tuple_
from sqlmodel import col

from mill_api.fields import Time
from mill_api.jobs.filters import Filters
from mill_api.problems import Fault, RequestInvalid
from mill_common.models import Job
from mill_common.states import JobStatus

SortField = Literal["created_at", "completed_at", "priority", "status", "filename"]
_LATER = datetime(9999, 1, 1, tzinfo=UTC)

# Each by its index: owner, field, created_at, id. Nulls would end a comparison of rows, so a job that has not ended
# counts as ending late.
_COLUMNS: Mapping[str, Any] = {
    "created_at": col(Job.created_at),
    "completed_at": func.coalesce(col(Job.completed_at), _LATER),
    "priority": col(Job.priority),
    "status": col(Job.status),
    "filename": col(Job.filename),
    "id": col(Job.id),
}
_KINDS: Mapping[str, TypeAdapter[Any]] = {
    "created_at": TypeAdapter(Time),
    "completed_at": TypeAdapter(Time),
    "priority": TypeAdapter(Annotated[int, Field(ge=0, le=9)]),
    "status": TypeAdapter(JobStatus),
    "filename": TypeAdapter(Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]),
    "id": TypeAdapter(UUID),
}
_COUNT = TypeAdapter(Annotated[int, Field(ge=0, le=2**53)])


class Ordered(Filters):
    """Which jobs, in which order."""

    sort_by: SortField = "created_at"
    sort_order: Literal["asc", "desc"] = "desc"

    @property
    def fields(self) -> list[str]:
        """What the order goes by; the id last, so that no two jobs are alike."""
        return list(dict.fromkeys([self.sort_by, "created_at", "id"]))


@dataclass(frozen=True)
class Place:
    """The end of a page: the values of the order's fields, and how many jobs the list had when it began."""

    values: tuple[Any, ...]
    total: int


def fields_of(query: Ordered) -> list[Any]:
    """What the order goes by, each under its name."""
    return [_COLUMNS[name].label(name) for name in query.fields]


def order_of(query: Ordered, fields: Mapping[str, Any] = _COLUMNS) -> list[Any]:
    """The terms of ORDER BY, of a job's own columns or of what `fields_of` has selected."""
    columns = [fields[name] for name in query.fields]
    return [column.asc() if query.sort_order == "asc" else column.desc() for column in columns]


def behind(query: Ordered, values: tuple[Any, ...]) -> ColumnElement[bool]:
    """Whether a job comes after these values."""
    columns = [_COLUMNS[name] for name in query.fields]
    row = tuple_(*columns)
    last = tuple_(*(literal(value, column.type) for column, value in zip(columns, values, strict=True)))
    return row > last if query.sort_order == "asc" else row < last


def values_of(query: Ordered, row: Any) -> tuple[Any, ...]:
    """What the order goes by in a row that was read."""
    return tuple(_LATER if (value := getattr(row, name)) is None else value for name in query.fields)


def cursor_after(query: Ordered, row: Any, total: int) -> str:
    """The cursor that goes on behind a row."""
    values = [_plain(value) for value in values_of(query, row)]
    plain = json.dumps([_list_of(query), values, total])
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def read_cursor(query: Ordered, cursor: str) -> Place:
    """Where the page before ended.

    Raises:
        RequestInvalid: It is no cursor, or one of another list.
    """
    try:
        list_id, values, total = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        kinds = [_KINDS[name] for name in query.fields]
        read = tuple(kind.validate_python(value) for kind, value in zip(kinds, values, strict=True))
        place = Place(read, _COUNT.validate_python(total))
    except (ValueError, TypeError, AttributeError, ValidationError, RecursionError):
        list_id = None
    if list_id != _list_of(query):
        fault = Fault(loc=["query", "cursor"], message="is not a cursor of this list")
        raise RequestInvalid("query: is not a cursor of this list", [fault])
    return place


def _plain(value: Any) -> Any:
    # A time as it is stored, to the microsecond.
    return value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value


def _list_of(query: Ordered) -> str:
    """What tells this list from one with other filters or in another order."""
    asked = Ordered.model_validate(query.model_dump(include=set(Ordered.model_fields)))
    return hashlib.sha256(asked.model_dump_json().encode()).hexdigest()[:16]
