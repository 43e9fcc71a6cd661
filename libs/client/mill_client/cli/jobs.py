"""`mill get`, `list` and `export`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..models import JobFilter, JobStatus, JobSummary, Progress
from .follow import Follower, follow_all, report
from .options import ApiKey, JobId, Json, Timeout, Url, connect
from .output import duration, json_line, json_or_table, moment, say
from .show import show_job

PER_PAGE = 100


def get(
    context: typer.Context,
    job_id: JobId,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Follow it to its end; fails if the job does.")] = False,
    timeout: Timeout = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Show one job in full."""
    with connect(context, url, api_key) as client:
        job = client.jobs.get(job_id)
        if not wait:
            json_line(job) if as_json else show_job(job, client.url)
            return
        with Follower(as_json=as_json) as follower:
            named = job.source.filename or job_id
            follower.known(named, job)
            ended = follow_all(client, follower, [(named, job)], timeout)
        report(client, ended, as_json=as_json)


@dataclass(frozen=True)
class _Filters:
    """The options that choose jobs."""

    status: list[JobStatus] | None
    priority: list[int] | None
    collection: list[str] | None
    metadata: list[str] | None
    search: str | None
    since: datetime | None
    until: datetime | None
    sort_by: str | None
    sort_order: str | None

    @property
    def asked(self) -> JobFilter:
        """As the SDK takes them; no status at all is all of them."""
        return {
            "status": self.status or None,
            "priority": self.priority or None,
            "collection": self.collection or None,
            "metadata": self.metadata or None,
            "search": self.search,
            "from_date": self.since,
            "to_date": self.until,
            "sort_by": self.sort_by,
            "sort_order": self.sort_order,
        }


Status = Annotated[list[JobStatus] | None, typer.Option(help="Only jobs in this state; may be repeated.")]
OfPriority = Annotated[
    list[int] | None, typer.Option("--priority", min=0, max=9, help="Only of this priority; may be repeated.")
]
Collection = Annotated[list[str] | None, typer.Option(help="Only of this collection; may be repeated.")]
Metadata = Annotated[
    list[str] | None, typer.Option(metavar="KEY[=VALUE]", help="Only with these metadata; all of them must hold.")
]
Search = Annotated[str | None, typer.Option(help="Only files whose name holds this.")]
Since = Annotated[datetime | None, typer.Option("--from", help="Created at or after, in local time.")]
Until = Annotated[datetime | None, typer.Option("--to", help="Created at or before, in local time.")]
SortBy = Annotated[str | None, typer.Option(help="Field to sort by; created_at by default.")]
SortOrder = Annotated[str | None, typer.Option(metavar="asc|desc", help="desc by default.")]


def list_jobs(
    context: typer.Context,
    *,
    status: Status = None,
    priority: OfPriority = None,
    collection: Collection = None,
    metadata: Metadata = None,
    search: Search = None,
    since: Since = None,
    until: Until = None,
    sort_by: SortBy = None,
    sort_order: SortOrder = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="No limit.")] = False,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """List jobs, the newest first."""
    chosen = _Filters(status, priority, collection, metadata, search, since, until, sort_by, sort_order)
    filters: JobFilter = {**chosen.asked, "per_page": PER_PAGE if everything else min(limit, PER_PAGE)}
    with connect(context, url, api_key) as client:
        found = islice(client.jobs.each(**filters), None if everything else limit)
        columns = ["job", "status", "progress", "file", "length", "created"]
        json_or_table(found, columns, _row, as_json=as_json)


def export(
    context: typer.Context,
    *,
    file_format: Annotated[Literal["csv", "json", "ndjson"], typer.Option("--format", help="Of the file.")] = "csv",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="By default standard output.")
    ] = None,
    status: Status = None,
    priority: OfPriority = None,
    collection: Collection = None,
    metadata: Metadata = None,
    search: Search = None,
    since: Since = None,
    until: Until = None,
    sort_by: SortBy = None,
    sort_order: SortOrder = None,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format ndjson.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Write the list of jobs as a file, however long it is."""
    chosen = _Filters(status, priority, collection, metadata, search, since, until, sort_by, sort_order)
    with connect(context, url, api_key) as client:
        chunks = client.jobs.export("ndjson" if as_json else file_format, **chosen.asked)
        if output is None:
            for chunk in chunks:
                typer.get_binary_stream("stdout").write(chunk)
            return
        _write_whole(output, chunks)
    say(f"the list is in {output}")


def _write_whole(path: Path, chunks: Iterator[bytes]) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _row(job: JobSummary) -> list[object]:
    length, created = duration(job.duration_seconds), moment(job.created_at)
    return [job.job_id, job.status.value, _percent(job), job.filename, length, created]


def _percent(job: JobSummary) -> str:
    progress = job.progress
    done = progress.overall_progress if isinstance(progress, Progress) else progress
    return "-" if done is None else f"{done:.0f} %"
