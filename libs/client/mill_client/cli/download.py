"""`mill download`: outputs to disk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

from ..models import Downloaded, OutputFile
from .options import ApiKey, JobId, Json, Url, connect
from .output import json_line, messages, say, size, table

if TYPE_CHECKING:
    from .._sync.client import Client


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...",
        help="Files as listed, folders (hls), kinds (transcript), patterns, or short names "
        "(360p, audio, poster, transcript_srt). All by default.",
    ),
]


def download(
    context: typer.Context,
    job_id: JobId,
    names: Names = None,
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="DIR", help="By default ./JOB")] = None,
    threads: Annotated[int, typer.Option(min=1, max=16, help="Files at the same time.")] = 4,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Download a job's outputs.

    Files that are there already and match are skipped, broken downloads are gone on with, and every file is
    checked before it gets its name.
    """
    folder = output or Path(job_id)
    with connect(context, url, api_key) as client:
        files = _fetch(client, job_id, folder, names or [], threads=threads, quiet=as_json)
    for file in files if as_json else []:
        json_line(file)
    if not as_json:
        table(["file", "size", ""], [[file.name, size(file.size), file.outcome] for file in files])
        say(f"{len(files)} files are in {folder}" if files else f"job {job_id} has no outputs")


def _fetch(
    client: Client, job_id: str, folder: Path, names: list[str], *, threads: int, quiet: bool
) -> list[Downloaded]:
    out = messages()
    columns = (BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn())
    with Progress(*columns, console=out, disable=quiet or not out.is_terminal) as bar:
        task = bar.add_task("", total=None)
        seen: dict[str, tuple[int, int]] = {}

        def on_file(file: OutputFile, done: int) -> None:
            seen[file.name] = (done, max(done, file.size or 0))
            known = list(seen.values())
            bar.update(task, completed=sum(here for here, _ in known), total=sum(total for _, total in known))

        return client.download(job_id, folder, names, threads=threads, on_file=on_file)
