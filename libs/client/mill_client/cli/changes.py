"""`mill cancel`, `retry`, `delete`, `priority` and `edit`: jobs are changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from ..errors import ApiError
from .asked import read_metadata
from .exits import exit_code_of
from .options import ApiKey, JobId, JobIds, Json, Url, connect
from .output import complain, json_line, say, sentence


def cancel(
    context: typer.Context, job_ids: JobIds, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None
) -> None:
    """Stop waiting or running jobs."""
    with connect(context, url, api_key) as client:

        def cancel_one(job_id: str) -> None:
            answer = client.jobs.cancel(job_id)
            json_line(answer) if as_json else say(answer.message or f"job {job_id} is {answer.status}")

        _for_each(job_ids, cancel_one)


def retry(
    context: typer.Context, job_ids: JobIds, *, as_json: Json = False, url: Url = None, api_key: ApiKey = None
) -> None:
    """Run again what failed of failed jobs."""
    with connect(context, url, api_key) as client:

        def retry_one(job_id: str) -> None:
            job = client.jobs.retry(job_id)
            json_line(job) if as_json else say(f"job {job_id} is {job.status}")

        _for_each(job_ids, retry_one)


def delete(
    context: typer.Context,
    job_ids: JobIds,
    *,
    keep_files: Annotated[bool, typer.Option("--keep-files", help="Leave their files in storage.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Delete jobs and their files. Running ones are cancelled first."""
    with connect(context, url, api_key) as client:
        if _is_asked(yes=yes, as_json=as_json):
            what = f"job {job_ids[0]}" if len(job_ids) == 1 else f"{len(job_ids)} jobs"
            typer.confirm(f"Delete {what}?", abort=True, err=True)

        def delete_one(job_id: str) -> None:
            answer = client.jobs.delete(job_id, files=not keep_files)
            json_line(answer) if as_json else say(f"job {job_id} is deleted, with {answer.files_deleted} files")

        _for_each(job_ids, delete_one)


def priority(
    context: typer.Context,
    job_id: JobId,
    value: Annotated[int, typer.Argument(metavar="0-9", min=0, max=9, help="Higher goes first.")],
    *,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Change the priority of what has not begun yet of a job."""
    with connect(context, url, api_key) as client:
        job = client.jobs.change(job_id, priority=value)
    json_line(job) if as_json else say(f"job {job_id} has priority {job.priority}")


def edit(
    context: typer.Context,
    job_id: JobId,
    *,
    collection: Annotated[str | None, typer.Option(help="File it under this name; '' takes it out.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="All of the new metadata; may be repeated.")
    ] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Change a job's collection or metadata."""
    if collection is None and not metadata:
        raise typer.BadParameter("say what to change: --collection or --metadata")
    with connect(context, url, api_key) as client:
        asked = read_metadata(metadata) if metadata else None
        job = client.jobs.change(job_id, collection=collection, metadata=asked)
    json_line(job) if as_json else say(f"job {job_id} is changed")


def _for_each(job_ids: Sequence[str], change: Callable[[str], None]) -> None:
    """Change every job, also if that fails with some. The first failure is how the command ends."""
    failures = []
    for job_id in job_ids:
        try:
            change(job_id)
        except ApiError as error:
            if len(job_ids) == 1:
                raise
            complain(f"job {job_id}: {sentence(error)}")
            failures.append(error)
    if failures:
        raise typer.Exit(exit_code_of(failures[0]))


def _is_asked(*, yes: bool, as_json: bool) -> bool:
    return not yes and not as_json and typer.get_text_stream("stdin").isatty()
