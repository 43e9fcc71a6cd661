"""`mill watch`: jobs live."""

from __future__ import annotations

from typing import Annotated

import typer

from ..models import JobEvent
from .follow import Follower, follow_all, report
from .options import ApiKey, Json, Timeout, Url, connect
from .output import json_line, messages, out_line, plain

Jobs = Annotated[
    list[str] | None, typer.Argument(metavar="[JOB]...", help="Which jobs; all of yours if none is named.")
]


def watch(
    context: typer.Context,
    job_ids: Jobs = None,
    *,
    timeout: Timeout = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Watch jobs live: those named until they have ended, or all of yours until you interrupt it.

    With --json each line is an event as the server sends it.
    """
    with connect(context, url, api_key) as client:
        if job_ids and not as_json:
            with Follower(as_json=False) as follower:
                named = [(job.source.filename or job.job_id, job) for job in map(client.jobs.get, job_ids)]
                for name, job in named:
                    follower.known(name, job)
                ended = follow_all(client, follower, named, timeout)
            report(client, ended, as_json=False)
            return
        news = client.events.follow(job_ids, timeout_s=timeout) if job_ids else client.events.watch()
        failed = False
        with Follower(as_json=as_json) as follower:
            for event in news:
                failed |= bool(job_ids) and event.event == "complete" and event.status != "completed"
                if as_json:
                    json_line(event)
                elif messages().is_terminal:
                    follower.heard(event)
                elif event.event != "stage":
                    out_line(_told(event))
    if failed:
        raise typer.Exit(1)


def _told(event: JobEvent) -> str:
    percent = "" if event.overall_progress is None else f"{event.overall_progress:.0f} %"
    return "\t".join(plain(word) for word in (event.job_id, event.status, percent, event.current_stage or ""))
