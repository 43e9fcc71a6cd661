"""One page of an owner's jobs, and how many there are on all pages.

PostgreSQL answers both as one JSON document, in one statement: its rows cost more to take apart than to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any

from pydantic import Field
from pydantic_core import from_json
from sqlalchemy import ColumnElement, Select, Text, bindparam, cast, func, literal_column, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlmodel import col

from mill_api.jobs.filters import Filters, conditions
from mill_api.jobs.ordering import Ordered, behind, fields_of, order_of, read_cursor
from mill_api.jobs.summary import COLUMNS, SummaryRow
from mill_common.database import Database
from mill_common.models import Job
from mill_common.prepared import Prepared

PER_PAGE = 100
Rows = Sequence[Any]


class ListQuery(Ordered):
    """Which jobs, in which order, and which part of them."""

    page: int = Field(default=1, ge=1, le=1_000_000)
    per_page: int = Field(default=PER_PAGE, ge=1, le=500)
    cursor: Annotated[str, Field(max_length=2048, pattern=r"^[A-Za-z0-9_-]+$")] | None = Field(
        default=None,
        description="`next_cursor` of the page before, with the same filters and order; `page` is ignored then.",
    )

    @property
    def is_plain(self) -> bool:
        """Whether it is the first page of everything, which is asked for most of the time, in an order of columns."""
        return (
            self.page == 1
            and self.sort_by != "completed_at"  # an expression, with a value that the statement would have to hold
            and self.per_page == PER_PAGE
            and self.cursor is None
            and not any(getattr(self, name) is not None for name in Filters.model_fields)
        )


def read_page(database: Database, owner_id: str, query: ListQuery) -> tuple[Rows, int]:
    """The rows of a page, one more if there is another page, and how many there are in all.

    Raises:
        RequestInvalid: The cursor is none of this list's.
    """
    if query.is_plain and not database.is_sqlite:
        first = _first_page(query.sort_by, query.sort_order).alone(database, {"owner_id": owner_id})
        return _read(str(first))
    wanted = conditions(owner_id, query)
    place = read_cursor(query, query.cursor) if query.cursor else None
    if place is not None:
        wanted.append(behind(query, place.values))
    ids, total = _parts(wanted, query, query.per_page + 1)
    if place is None:
        ids = ids.offset((query.page - 1) * query.per_page)
    with database.look() as connection:
        if not database.is_sqlite:
            rows, counted = _read(connection.execute(_document(ids, None if place else total, query)).scalar_one())
        else:
            rows = connection.execute(select(*COLUMNS).where(col(Job.id).in_(ids)).order_by(*order_of(query))).all()
            counted = 0 if place else connection.execute(select(total)).scalar_one()
    return rows, place.total if place else counted


@lru_cache(32)  # of eight orders
def _first_page(sort_by: Any, sort_order: Any) -> Prepared:
    query = ListQuery(sort_by=sort_by, sort_order=sort_order)
    ids, total = _parts([col(Job.owner_id) == bindparam("owner_id")], query, literal_column(str(PER_PAGE + 1)))
    return Prepared(f"jobs_{sort_by}_{sort_order}", _document(ids, total, query))


def _parts(wanted: list[ColumnElement[bool]], query: ListQuery, limit: Any) -> tuple[Select[Any], Any]:
    """The ids of as many jobs, and the number of all."""
    if query.search is None and query.metadata is None:
        total = select(func.count()).select_from(Job).where(*wanted).scalar_subquery()
        return select(col(Job.id)).where(*wanted).order_by(*order_of(query)).limit(limit), total
    # No index has these in any order. They are looked for once, to be sorted and to be counted.
    found = select(*fields_of(query)).where(*wanted).cte("found")
    ids = select(found.c.id).order_by(*order_of(query, dict(found.c.items()))).limit(limit)
    return ids, select(func.count()).select_from(found).scalar_subquery()


def _document(ids: Select[Any], total: Any, query: ListQuery) -> Select[Any]:
    rows = func.json_agg(aggregate_order_by(func.json_build_array(*COLUMNS), *order_of(query)))
    counted = total if total is not None else literal_column("0")
    return select(cast(func.json_build_array(rows, counted), Text)).where(col(Job.id).in_(ids))


def _read(document: str) -> tuple[Rows, int]:
    rows, total = from_json(document)
    return [SummaryRow.read(row) for row in rows or ()], total
