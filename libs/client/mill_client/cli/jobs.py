"""`mill get`, `list`, `cancel`, `retry` and `delete`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from ..models import JobFilter, JobStatus, JobSummary, Progress
from .follow import Follower, follow_all, report
from .options import ApiKey, JobId, Json, Timeout, Url, connect
from .output import duration, json_line, moment, say, table
from .show import show_job

if TYPE_CHECKING:
    from .._sync.client import Client


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
            ended = follow_all(client, follower, [(job.source.filename or job_id, job)], timeout)
        report(client, ended, as_json=as_json)


def list_jobs(
    context: typer.Context,
    *,
    status: Annotated[JobStatus | None, typer.Option(help="Only jobs in this state.")] = None,
    priority: Annotated[int | None, typer.Option(min=0, max=9, help="Only jobs of this priority.")] = None,
    search: Annotated[str | None, typer.Option(help="Only files whose name holds this.")] = None,
    since: Annotated[datetime | None, typer.Option("--from", help="Created at or after, in local time.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="Created at or before, in local time.")] = None,
    sort_by: Annotated[str | None, typer.Option(help="Field to sort by; created_at by default.")] = None,
    sort_order: Annotated[str | None, typer.Option(metavar="asc|desc", help="desc by default.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="No limit.")] = False,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """List jobs, the newest first."""
    filters: JobFilter = {
        "status": status,
        "priority": priority,
        "search": search,
        "from_date": since.astimezone().isoformat() if since else None,
        "to_date": until.astimezone().isoformat() if until else None,
        "sort_by": sort_by,
        "sort_order": sort_order,
        "per_page": PER_PAGE if everything else min(limit, PER_PAGE),
    }
    with connect(context, url, api_key) as client:
        found = islice(client.jobs.each(**filters), None if everything else limit)
        _print_jobs(found, as_json=as_json)


def cancel(
    context: typer.Context, job_id: JobId, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None
) -> None:
    """Stop a waiting or running job."""
    with connect(context, url, api_key) as client:
        answer = client.jobs.cancel(job_id)
    json_line(answer) if as_json else say(answer.message or f"job {job_id} is {answer.status}")


def retry(
    context: typer.Context, job_id: JobId, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None
) -> None:
    """Run again what failed of a failed job."""
    with connect(context, url, api_key) as client:
        job = client.jobs.retry(job_id)
    json_line(job) if as_json else say(f"job {job_id} is {job.status}")


def delete(
    context: typer.Context,
    job_id: JobId,
    *,
    keep_files: Annotated[bool, typer.Option("--keep-files", help="Leave its files in storage.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Delete a job and its files. A running one is cancelled first."""
    client: Client = connect(context, url, api_key)
    with client:
        if _is_asked(yes=yes, as_json=as_json):
            typer.confirm(f"Delete job {job_id}?", abort=True, err=True)
        answer = client.jobs.delete(job_id, files=not keep_files)
    json_line(answer) if as_json else say(f"job {job_id} is deleted, with {answer.files_deleted} files")


def _is_asked(*, yes: bool, as_json: bool) -> bool:
    return not yes and not as_json and typer.get_text_stream("stdin").isatty()


def _print_jobs(jobs: Iterator[JobSummary], *, as_json: bool) -> None:
    if as_json:
        for job in jobs:
            json_line(job)
        return
    rows = [
        [
            job.job_id,
            job.status.value,
            _percent(job),
            job.filename or "-",
            duration(job.duration_seconds),
            moment(job.created_at),
        ]
        for job in jobs
    ]
    table(["job", "status", "progress", "file", "length", "created"], rows)


def _percent(job: JobSummary) -> str:
    progress = job.progress
    done = progress.overall_progress if isinstance(progress, Progress) else progress
    return "-" if done is None else f"{done:.0f} %"
