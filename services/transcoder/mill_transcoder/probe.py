"""The step `probe`: what is the source, and what is to be done with it?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import Any

from mill_common.errors import PermanentError, SourceRefused, SourceTooLarge, SourceUnreadable
from mill_common.merging import MERGE
from mill_common.queue.types import SourceFacts, TaskResult
from mill_common.settings import Settings
from mill_common.worker.context import TaskContext
from mill_transcoder.commands import describe
from mill_transcoder.described import read_media
from mill_transcoder.media import MediaInfo
from mill_transcoder.packets import all_ends, tail_ends
from mill_transcoder.plan import plan_encode, plan_tasks

# Texts that name other files. ffmpeg is kept from following them as well; this says so plainly.
PLAYLISTS = (b"#EXTM3U", b"ffconcat version", b"<MPD", b"<?xml", b"[playlist]", b"<smil", b"v=0")

# Containers that write their duration down. Of the others ffprobe guesses it from the bit rate.
DECLARING = frozenset({"mov", "matroska", "avi", "flv", "asf", "wav", "flac"})


BLOCK = 2**20


class SourceTooLong(SourceTooLarge):
    """The source lasts longer than is accepted."""

    code = "source_too_long"


class SourceChanged(PermanentError):
    """The source is not what it was said to be."""

    code = "source_changed"


def probe(task: TaskContext) -> TaskResult:
    """Look at the source and plan the tasks that follow.

    Raises:
        PermanentError: The source cannot or may not be processed; the message says why.
    """
    task.progress(0.0, "probing")
    path = task.source()
    digest = digest_of(task, path, task.job.source_sha256)
    media = inspect(task, path)
    spec = task.job.spec
    encode = plan_encode(media, media.video, spec, task.settings) if media.video else None
    return TaskResult(
        media=media.to_json() | (dict(task.result_of(MERGE)) if task.params.get("merged") else {}),
        result={"encode": encode.to_json() if encode else None},
        tasks=plan_tasks(media, spec, encode),
        transcript={"skipped": "no_audio"} if spec.transcript and not media.audio else None,
        source=_facts(task, path, digest) if task.job.source_sha256 is None else None,
    )


def digest_of(task: TaskContext, path: Path, promised: str | None) -> str:
    """SHA-256 of a source, the one that was promised, if one was.

    Raises:
        SourceChanged: It is not.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            task.raise_if_stopped()
    if promised is not None and promised != digest.hexdigest():
        raise SourceChanged(f"The source has the checksum {digest.hexdigest()}, not {promised}.")
    return digest.hexdigest()


def _facts(task: TaskContext, path: Path, digest: str) -> SourceFacts:
    assert task.job.source_key is not None
    size = path.stat().st_size
    return SourceFacts(object_key=task.job.source_key, size=size, sha256=digest, filename=task.job.filename)


def inspect(task: TaskContext, path: Path) -> MediaInfo:
    """The facts of a source, its ends taken from its packets."""
    _refuse_playlists(path)
    described = describe(task, path, reads_source=True)
    media = read_media(described)
    _refuse_excess(media, described, task.settings)
    media = _measure(task, path, media)
    check_length(task, media.duration_s)
    return media


def check_length(task: TaskContext, duration_s: float) -> None:
    """Raise `SourceTooLong` if sources of this length, one or several together, are not accepted."""
    limit_s = task.params.get("max_source_duration_s", task.settings.max_source_duration_s)
    if duration_s > limit_s:
        raise SourceTooLong(f"The source lasts {duration_s:.0f} s; at most {limit_s:.0f} s are accepted.")


def _refuse_playlists(path: Path) -> None:
    with path.open("rb") as file:
        head = file.read(512).removeprefix(b"\xef\xbb\xbf").lstrip()
    if not head:
        raise SourceUnreadable("The source is empty.")
    if head.startswith(PLAYLISTS):
        raise SourceRefused("The source is a playlist, not a video: it names other files.")


def _refuse_excess(media: MediaInfo, described: Mapping[str, Any], settings: Settings) -> None:
    if len(described.get("streams", ())) > settings.max_source_streams:
        raise SourceTooLarge(f"The source has more than {settings.max_source_streams} streams.")
    if media.video and media.video.width * media.video.height > settings.max_source_pixels:
        raise SourceTooLarge(f"The picture has more than {settings.max_source_pixels} pixels.")


def _measure(task: TaskContext, path: Path, media: MediaInfo) -> MediaInfo:
    """Put the measured ends in place of the declared ones.

    Raises:
        SourceUnreadable: The packets end long before the file says it does.
    """
    indexes = {stream.index for stream in (media.video, media.audio) if stream}
    ends = tail_ends(task, path, media.duration_s) if media.duration_s > 0 else {}
    if media.duration_s <= 0 or not indexes <= ends.keys():
        task.progress(0.1, "measuring")
        ends = {**all_ends(task, path), **ends}
    if not indexes & ends.keys():
        raise SourceUnreadable("The source holds no audio or video that can be decoded.")
    media = _without_empty(media, ends)
    measured = max(ends.values()) - media.start_s
    if isfinite(measured) and media.container in DECLARING and falls_short(measured, media.duration_s):
        raise SourceUnreadable(
            f"The source declares {media.duration_s:.1f} s but ends after {measured:.1f} s: "
            "it is incomplete or damaged."
        )
    return _with_ends(media, ends)


def _without_empty(media: MediaInfo, ends: Mapping[int, float]) -> MediaInfo:
    """A stream that a header announces but of which there is no packet is none."""
    video = media.video if media.video and media.video.index in ends else None
    audio = media.audio if media.audio and media.audio.index in ends else None
    return replace(media, video=video, audio=audio)


def _with_ends(media: MediaInfo, ends: Mapping[int, float]) -> MediaInfo:
    video, audio = media.video, media.audio
    if video:
        # The last packet of a stream may carry no duration: a picture lasts at least one frame.
        end_s = ends[video.index] if isfinite(ends[video.index]) else video.end_s
        video = replace(video, end_s=max(end_s, video.start_s + float(1 / video.fps)))
    if audio:
        end_s = ends[audio.index] if isfinite(ends[audio.index]) else audio.end_s
        audio = replace(audio, end_s=max(audio.start_s, end_s))
    main = video or audio
    assert main is not None
    return replace(media, video=video, audio=audio, duration_s=round(main.end_s - main.start_s, 6))


def falls_short(measured_s: float, declared_s: float) -> bool:
    """Whether what was found is so much less than what was declared that something is missing.

    A second or 2 % is rounding: of durations in headers, of frames at a new rate, of encoder padding.
    """
    return measured_s < declared_s - max(1.0, 0.02 * declared_s)
