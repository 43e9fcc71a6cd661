"""`mill submit`: videos in."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

import typer

from .asked import Wishes, read_deadline, read_metadata
from .batch import Batch, Order
from .follow import Follower, follow_all, report
from .options import ApiKey, Json, Timeout, Url, connect
from .sources import expand

Sources = Annotated[
    list[str], typer.Argument(metavar="FILE|PATTERN|URL...", help="Videos: files here, or URLs to fetch.")
]
Wait = Annotated[
    bool | None, typer.Option("--wait/--no-wait", help="Follow the jobs to their end. On a terminal: yes.")
]
_OUTPUTS = "What to make"


def submit(
    context: typer.Context,
    sources: Sources,
    *,
    wait: Wait = None,
    timeout: Timeout = None,
    merge: Annotated[bool, typer.Option("--merge", help="One job of all: the videos merged in this order.")] = False,
    parallel: Annotated[int, typer.Option(min=1, max=16, help="Uploads at the same time.")] = 2,
    rendition: Annotated[
        list[int] | None,
        typer.Option("--rendition", help="Short side in pixels; may be repeated.", rich_help_panel=_OUTPUTS),
    ] = None,
    hls: Annotated[bool, typer.Option("--hls/--no-hls", help="An HLS stream.", rich_help_panel=_OUTPUTS)] = True,
    audio: Annotated[bool, typer.Option("--audio/--no-audio", help="The sound.", rich_help_panel=_OUTPUTS)] = True,
    audio_format: Annotated[
        list[str] | None,
        typer.Option(metavar="mp3|m4a|opus|wav", help="Of the sound; may be repeated.", rich_help_panel=_OUTPUTS),
    ] = None,
    audio_bitrate: Annotated[
        int | None, typer.Option(metavar="KBPS", help="Of the sound, 32 to 320.", rich_help_panel=_OUTPUTS)
    ] = None,
    thumbnails: Annotated[
        bool, typer.Option("--thumbnails/--no-thumbnails", help="A poster and sprites.", rich_help_panel=_OUTPUTS)
    ] = True,
    thumbnail_at: Annotated[
        list[float] | None,
        typer.Option(metavar="SECONDS", help="A picture at that time; may be repeated.", rich_help_panel=_OUTPUTS),
    ] = None,
    thumbnail_count: Annotated[
        int | None, typer.Option(help="So many pictures, evenly spread.", rich_help_panel=_OUTPUTS)
    ] = None,
    sprites: Annotated[
        bool, typer.Option("--sprites/--no-sprites", help="Pictures for a timeline.", rich_help_panel=_OUTPUTS)
    ] = True,
    transcript: Annotated[
        bool, typer.Option("--transcript/--no-transcript", help="A transcript.", rich_help_panel=_OUTPUTS)
    ] = True,
    language: Annotated[
        str | None,
        typer.Option(help="Language spoken, like `en`; detected by default.", rich_help_panel=_OUTPUTS),
    ] = None,
    task: Annotated[
        Literal["transcribe", "translate"] | None,
        typer.Option(help="Write what is said, or its English.", rich_help_panel=_OUTPUTS),
    ] = None,
    transcript_format: Annotated[
        list[str] | None,
        typer.Option(metavar="txt|srt|vtt|json", help="May be repeated; all by default.", rich_help_panel=_OUTPUTS),
    ] = None,
    words: Annotated[
        bool, typer.Option("--words/--no-words", help="Times of words in the JSON.", rich_help_panel=_OUTPUTS)
    ] = True,
    priority: Annotated[int | None, typer.Option(min=0, max=9, help="Higher goes first.")] = None,
    deadline: Annotated[
        str | None, typer.Option(metavar="SECONDS|TIME", help="By when it is wanted: seconds from now, or a time.")
    ] = None,
    collection: Annotated[str | None, typer.Option(help="A name to file the jobs under.")] = None,
    metadata: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Kept with the job; may be repeated.")
    ] = None,
    webhook: Annotated[str | None, typer.Option(metavar="URL", help="Told when a job has ended.")] = None,
    force: Annotated[bool, typer.Option("--force", help="A new job even if there is one like it.")] = False,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key and request give the same job.")] = None,
    as_json: Json = False,
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Submit videos, follow them, and say what came out.

    Several are uploaded side by side, and become a job each, or one with --merge. An upload that was interrupted is
    gone on with when the same command is given again. With --json each line is one JSON object; the last line of each
    job is its final detail.
    """
    wishes = Wishes(
        rendition, hls, audio, audio_format, audio_bitrate, thumbnails, thumbnail_at, thumbnail_count,
        sprites, transcript, language, task, transcript_format, words,
    )  # fmt: skip
    named = expand(sources, once=not merge)
    if merge and len(named) < 2:
        raise typer.BadParameter("--merge takes two videos or more")
    if idempotency_key and len(named) > 1 and not merge:
        raise typer.BadParameter("one --idempotency-key stands for one job: submit one video with it")
    order = Order(
        spec=wishes.spec(),
        priority=priority,
        deadline=read_deadline(deadline),
        collection=collection,
        metadata=read_metadata(metadata or []),
        webhook=webhook,
        force=force,
        idempotency_key=idempotency_key,
    )
    waits = sys.stdout.isatty() if wait is None else wait
    with connect(context, url, api_key) as client:
        with Follower(as_json=as_json) as follower:
            batch = Batch(client, follower, order)
            jobs = (batch.merge if merge else batch.send)(named, parallel=parallel)
            ended = follow_all(client, follower, jobs, timeout) if waits else [job for _, job in jobs]
        report(client, ended, as_json=as_json, waited=waits)
        batch.end()
