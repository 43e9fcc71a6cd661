"""`mill stats`, `usage` and `collections`: an owner in numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Annotated

import typer

from ..models import Collection, JobStats, UsageCounts
from .options import ApiKey, Json, Url, connect
from .output import duration, json_line, json_or_table, moment, size, table


class Group(StrEnum):
    """What usage may be counted by."""

    DAY = "day"
    KEY = "key"
    ROUTE = "route"


Since = Annotated[datetime | None, typer.Option("--from", help="From then on, in local time.")]
Until = Annotated[datetime | None, typer.Option("--to", help="Until then, in local time.")]


def stats(
    context: typer.Context,
    *,
    since: Since = None,
    until: Until = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Count jobs by state, what they took, and what storage holds."""
    with connect(context, url, api_key) as client:
        found = client.jobs.stats(from_date=since, to_date=until)
    json_line(found) if as_json else table(["jobs", str(found.total_jobs)], list(_stats(found)))


def usage(
    context: typer.Context,
    *,
    since: Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, of UTC.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, of UTC.")] = None,
    key: Annotated[str | None, typer.Option(metavar="ID", help="Only this key.")] = None,
    group_by: Annotated[list[Group] | None, typer.Option(help="Rows for each; may be repeated.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Count requests, errors, bytes and how long answers took; of 30 days unless said otherwise."""
    with connect(context, url, api_key) as client:
        found = client.usage(
            from_date=since.date() if since else None,
            to_date=until.date() if until else None,
            key_id=key,
            group_by=[group.value for group in group_by] if group_by else None,
        )
    if as_json:
        for row in found.usage:
            json_line(row)
        return
    rows = [[str(row.day or ""), row.key_id or "", row.route or "", *_counts(row)] for row in found.usage]
    columns = ["day", "key", "route", "requests", "errors", "in", "out", "p50 ms", "p95 ms", "p99 ms"]
    table(columns, [*rows, ["all", "", "", *_counts(found.totals)]])


def collections(context: typer.Context, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None) -> None:
    """Count the jobs of each collection."""
    with connect(context, url, api_key) as client:
        json_or_table(client.collections.each(), ["collection", "jobs", "latest"], _collection, as_json=as_json)


def _stats(found: JobStats) -> Iterator[list[str]]:
    for status, count in found.status_breakdown.items():
        yield [status, str(count)]
    taken, storage = found.processing_metrics, found.storage
    yield ["success rate", f"{found.success_rate:.1f} %"]
    yield ["a job takes", duration(taken.average_processing_time_seconds)]
    yield ["video made", duration(taken.total_video_duration_seconds)]
    quota = f" of {size(storage.quota_bytes)}" if storage.quota_bytes is not None else ""
    yield ["storage", f"{size(storage.used_bytes)}{quota}"]


def _counts(row: UsageCounts) -> list[str]:
    took = [row.latency_ms.p50, row.latency_ms.p95, row.latency_ms.p99]
    in_ms = ["-" if each is None else f"{each:.1f}" for each in took]
    return [str(row.requests), str(row.errors), size(row.bytes_in), size(row.bytes_out), *in_ms]


def _collection(found: Collection) -> list[object]:
    return [found.name, found.jobs, moment(found.latest_at)]
