"""How much the interface is used."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlmodel import Session, col, func, select
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.openapi import operation
from mill_api.resources import resources
from mill_common.histogram import percentile_ms
from mill_common.models import Usage

DAYS = 30  # asked for without a range
MOST_DAYS = 366
Part = Literal["day", "key", "route"]
_COLUMNS: dict[Part, Any] = {"day": col(Usage.day), "key": col(Usage.key_id), "route": col(Usage.route)}


class UsageQuery(BaseModel):
    """What to count, and how to break it down."""

    model_config = ConfigDict(extra="forbid")

    from_date: date | None = Field(default=None, description="The first day, UTC; 30 days up to `to_date` if absent.")
    to_date: date | None = Field(default=None, description="The last day, UTC, included; today if absent.")
    key_id: UUID | None = Field(default=None, description="One key alone.")
    group_by: list[Part] = Field(default=["day", "key", "route"], max_length=3, description="May be repeated.")

    @model_validator(mode="after")
    def _in_order(self) -> UsageQuery:
        first, last = self.days
        if not 0 <= (last - first).days < MOST_DAYS:
            raise ValueError(f"from_date must not lie after to_date, nor {MOST_DAYS} days before it")
        return self

    @property
    def days(self) -> tuple[date, date]:
        """The first and the last day."""
        last = self.to_date or max(datetime.now(UTC).date(), self.from_date or date.min)
        return self.from_date or max(date.min + timedelta(DAYS), last) - timedelta(DAYS - 1), last


class Latency(BaseModel):
    """Milliseconds until the answer began, to within five per cent."""

    p50: float | None
    p95: float | None
    p99: float | None


class UsageCounts(BaseModel):
    """Requests and what they moved."""

    requests: int
    errors: int = Field(description="Answered with 400 and above.")
    bytes_in: int = Field(description="Bodies of requests.")
    bytes_out: int = Field(description="Bodies of answers.")
    latency_ms: Latency


class UsageRow(UsageCounts):
    """The part of one group; what it is not grouped by is null."""

    day: date | None
    key_id: UUID | None
    route: str | None


class UsageView(BaseModel):
    """How much the caller's owner used the interface."""

    from_date: date
    to_date: date
    totals: UsageCounts
    usage: list[UsageRow]


@operation(tag="usage", query=UsageQuery, returns=UsageView)
def get_usage(request: Request, query: UsageQuery) -> UsageView:
    """Count the owner's requests by key, route and day: errors, bytes and latencies. A few seconds late."""
    with resources(request).database.read() as session:
        rows = _read(session, caller(request).owner_id, query)
    groups: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for row in rows:
        groups[tuple(row[: len(query.group_by)])].append(row)
    first, last = query.days
    return UsageView(
        from_date=first,
        to_date=last,
        totals=UsageCounts(**_counts(rows)),
        usage=[_row(query.group_by, group, found) for group, found in sorted(groups.items())],
    )


def _read(session: Session, owner_id: str, query: UsageQuery) -> Sequence[Any]:
    first, last = query.days
    groups = [_COLUMNS[part] for part in query.group_by]
    sums = [func.sum(column) for column in (Usage.requests, Usage.errors, Usage.bytes_in, Usage.bytes_out)]
    counted = select(*groups, col(Usage.bucket), *sums).where(  # type: ignore[call-overload]
        col(Usage.owner_id) == owner_id, col(Usage.day).between(first, last)
    )
    if query.key_id is not None:
        counted = counted.where(col(Usage.key_id) == query.key_id)
    rows: Sequence[Any] = session.exec(counted.group_by(*groups, col(Usage.bucket))).all()
    return rows


def _row(parts: Sequence[Part], group: tuple[Any, ...], rows: Sequence[Any]) -> UsageRow:
    named = dict(zip(parts, group, strict=True))
    return UsageRow(day=named.get("day"), key_id=named.get("key"), route=named.get("route"), **_counts(rows))


def _counts(rows: Sequence[Any]) -> dict[str, Any]:
    buckets: dict[int, int] = defaultdict(int)
    for row in rows:
        buckets[row[-5]] += int(row[-4])
    latency = {f"p{percent}": percentile_ms(buckets, percent / 100) for percent in (50, 95, 99)}
    requests, errors, bytes_in, bytes_out = (sum(int(row[at]) for row in rows) for at in (-4, -3, -2, -1))
    return {
        "requests": requests,
        "errors": errors,
        "bytes_in": bytes_in,
        "bytes_out": bytes_out,
        "latency_ms": Latency(**latency),
    }
