"""`mill logs` and `mill attempts`: what became of a job."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import typer

from ..models import Attempt, LogEntry
from .options import ApiKey, JobId, Json, Url, connect
from .output import json_line, json_or_table, moment, out_line, plain, size


def logs(
    context: typer.Context,
    job_id: JobId,
    *,
    level: Annotated[
        Literal["debug", "info", "warning", "error"] | None, typer.Option(help="The least severe to show.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Only of this step, by name or kind.")] = None,
    since: Annotated[datetime | None, typer.Option("--from", help="At or after, in local time.")] = None,
    until: Annotated[datetime | None, typer.Option("--to", help="At or before, in local time.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Tell a job's story in order."""
    with connect(context, url, api_key) as client:
        for entry in client.jobs.logs(job_id, level=level, task=task, from_date=since, to_date=until):
            json_line(entry) if as_json else out_line(_told(entry))


def attempts(
    context: typer.Context, job_id: JobId, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None
) -> None:
    """List every worker's try at every step of a job."""
    columns = ["step", "try", "worker", "started", "seconds", "outcome", "cpu", "memory", "error"]
    with connect(context, url, api_key) as client:
        json_or_table(client.jobs.attempts(job_id), columns, _row, as_json=as_json)


def _told(entry: LogEntry) -> str:
    where = f" {entry.task}" if entry.task else ""
    return plain(f"{moment(entry.time)} {entry.level:<7}{where} {entry.message or entry.event}")


def _row(attempt: Attempt) -> list[object]:
    took = None if attempt.duration_seconds is None else f"{attempt.duration_seconds:.1f}"
    cpu = None if attempt.cpu_seconds is None else f"{attempt.cpu_seconds:.1f} s"
    return [
        attempt.task,
        attempt.epoch,
        attempt.worker,
        moment(attempt.started_at),
        took,
        attempt.outcome or "running",
        cpu,
        size(attempt.peak_memory_bytes),
        attempt.error_message or "",
    ]
