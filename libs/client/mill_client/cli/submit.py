"""`mill submit`: videos in."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .._urls import is_url
from ..models import Job, JobSpec, TranscriptSpec
from .follow import Follower, follow_all, report
from .options import ApiKey, Json, Timeout, Url, connect
from .output import json_line, plain

if TYPE_CHECKING:
    from .._sync.client import Client


Sources = Annotated[list[str], typer.Argument(metavar="FILE|URL...", help="Videos: files here, or URLs to fetch.")]
Wait = Annotated[
    bool | None, typer.Option("--wait/--no-wait", help="Follow the jobs to their end. On a terminal: yes.")
]
Language = Annotated[str | None, typer.Option(help="Language spoken, like `en`; detected by default.")]
Transcript = Annotated[bool, typer.Option("--transcript/--no-transcript", help="Make a transcript.")]
Renditions = Annotated[list[int] | None, typer.Option("--rendition", help="Short side in pixels; may be repeated.")]
Hls = Annotated[bool, typer.Option("--hls/--no-hls", help="Make an HLS stream.")]
Audio = Annotated[bool, typer.Option("--audio/--no-audio", help="Make an MP3.")]
Thumbnails = Annotated[bool, typer.Option("--thumbnails/--no-thumbnails", help="Make a poster and sprites.")]
Priority = Annotated[int | None, typer.Option(min=0, max=9, help="Higher goes first.")]
Metadata = Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Kept with the job; may be repeated.")]
IdempotencyKey = Annotated[str | None, typer.Option(help="The same key and request give the same job.")]


def submit(
    context: typer.Context,
    sources: Sources,
    *,
    wait: Wait = None,
    timeout: Timeout = None,
    language: Language = None,
    transcript: Transcript = True,
    rendition: Renditions = None,
    hls: Hls = True,
    audio: Audio = True,
    thumbnails: Thumbnails = True,
    priority: Priority = None,
    metadata: Metadata = None,
    idempotency_key: IdempotencyKey = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Submit videos, follow them, and say what came out.

    With --json each line is one JSON object; the last line of each job is its final detail.
    """
    transcription = _transcript(language, wanted=transcript)
    switches = {"hls": hls, "audio": audio, "thumbnails": thumbnails}
    request = Request(
        spec=_spec(rendition, switches, transcription),
        priority=priority,
        metadata=_metadata(metadata or []),
        idempotency_key=idempotency_key,
    )
    _check(sources, idempotency_key)
    with connect(context, url, api_key) as client:
        with Follower(as_json=as_json) as follower:
            jobs = [(source, request.send(client, follower, source)) for source in sources]
            waits = sys.stdout.isatty() if wait is None else wait
            ended = follow_all(client, follower, jobs, timeout) if waits else []
        report(client, ended, as_json=as_json) if waits else _acknowledge(jobs, as_json=as_json)


@dataclass(frozen=True)
class Request:
    """What is asked for every source."""

    spec: JobSpec | None
    priority: int | None
    metadata: dict[str, str]
    idempotency_key: str | None

    def send(self, client: Client, follower: Follower, source: str) -> Job:
        """Submit one source."""
        job = client.submit(
            source,
            spec=self.spec,
            priority=self.priority,
            metadata=self.metadata,
            idempotency_key=self.idempotency_key,
            on_bytes=None if is_url(source) else follower.uploading(source),
        )
        follower.submitted(source, job)
        return job


def _acknowledge(jobs: Sequence[tuple[str, Job]], *, as_json: bool) -> None:
    for _, job in jobs:
        json_line(job) if as_json else typer.echo(job.job_id)


def _check(sources: Sequence[str], idempotency_key: str | None) -> None:
    for source in sources:
        if not is_url(source) and not Path(source).is_file():
            raise typer.BadParameter(f"there is no file {plain(source)!r}")
    if idempotency_key and len(sources) > 1:
        raise typer.BadParameter("one --idempotency-key stands for one job: submit one video with it")


def _transcript(language: str | None, *, wanted: bool) -> dict[str, TranscriptSpec | None]:
    if language and not wanted:
        raise typer.BadParameter("--language and --no-transcript exclude each other")
    if language:
        return {"transcript": TranscriptSpec(language=language)}
    return {} if wanted else {"transcript": None}


def _spec(
    renditions: list[int] | None,
    switches: Mapping[str, bool],
    transcription: Mapping[str, TranscriptSpec | None],
) -> JobSpec | None:
    # Only what was asked for is sent, so that the server's defaults stay its own.
    asked: dict[str, object] = {name: False for name, on in switches.items() if not on}
    if renditions:
        asked["renditions"] = renditions
    asked.update(transcription)
    return JobSpec.model_validate(asked) if asked else None


def _metadata(pairs: Sequence[str]) -> dict[str, str]:
    found = dict(pair.partition("=")[::2] for pair in pairs)
    if any("=" not in pair for pair in pairs) or "" in found:
        raise typer.BadParameter("--metadata takes KEY=VALUE")
    return found
