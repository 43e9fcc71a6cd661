"""The step `merge`: several sources become one, and it is known where each begins."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from shutil import copyfileobj
from typing import Any

import ffmpeg

from mill_common.errors import ChildFailed, SourceTooLarge
from mill_common.merging import fetch_name, fetched_name, naming
from mill_common.queue.types import SourceFacts, TaskResult
from mill_common.worker.context import TaskContext
from mill_transcoder.audio import RATE
from mill_transcoder.canvas import Canvas, choose_canvas
from mill_transcoder.commands import describe, run_ffmpeg
from mill_transcoder.described import number
from mill_transcoder.parts import Part, make_picture, make_sound
from mill_transcoder.probe import check_length, digest_of, inspect
from mill_transcoder.progress import FrameCount

MERGED = "merged.mov"  # holds sound as it is, sample by sample, and can be entered anywhere
SOUND = "sound.pcm"
_INSPECTED, _MADE, _JOINED = 0.1, 0.9, 0.95  # of the task


def merge(task: TaskContext) -> TaskResult:
    """Look at every source, give all of them one form, and put them end to end.

    Raises:
        PermanentError: A source cannot or may not be processed; the message says which and why.
        ChildFailed: What came out is not what went in; another attempt may do better.
    """
    task.progress(0.0, "merging")
    parts = _inspected(task)
    canvas = choose_canvas([part.media.video for part in parts if part.media.video])
    ends = _made(task, parts, canvas)
    has_sound = any(part.media.audio for part in parts)
    path = _joined(task, parts, canvas, ends[-1], has_sound=has_sound)
    _check(task, path, canvas, ends[-1], has_sound=has_sound)
    task.progress(_JOINED, "storing")
    output = task.put(path, "source", kind="source", content_type="video/quicktime", intermediate=True)
    facts = SourceFacts(
        object_key=output.object_key, size=output.size, sha256=output.sha256, filename=parts[0].filename
    )
    return TaskResult(result={"video_count": len(parts), "segments": _segments(parts, ends)}, source=facts)


def _inspected(task: TaskContext) -> list[Part]:
    parts: list[Part] = []
    sources = task.params["sources"]
    for position, source in enumerate(sources):
        with naming(position, source["filename"]):
            parts.append(_inspect(task, position, source))
        _refuse_excess(task, parts)
        task.progress(_INSPECTED * (position + 1) / len(sources))
    return parts


def _inspect(task: TaskContext, position: int, source: Mapping[str, Any]) -> Part:
    filename, promised = source["filename"], source["sha256"]
    if source["object_key"] is None:
        filename = task.result_of(fetch_name(position))["filename"]
        path = task.fetch(fetched_name(position))
    else:
        path = task.stored(source["object_key"], f"inputs/{position:02d}")
    sha256 = digest_of(task, path, promised)
    return Part(position=position, filename=filename, path=path, sha256=sha256, media=inspect(task, path))


def _refuse_excess(task: TaskContext, parts: list[Part]) -> None:
    """The limits of one source hold for all of them together."""
    limit = int(task.params.get("max_source_bytes", task.settings.max_source_bytes))
    if sum(part.path.stat().st_size for part in parts) > limit:
        raise SourceTooLarge(f"The sources have more than {limit} bytes together, the most that is taken.")
    check_length(task, sum(part.media.duration_s for part in parts))


def _made(task: TaskContext, parts: list[Part], canvas: Canvas | None) -> list[Fraction]:
    """Make every part. Returns where each ends, in seconds: exactly, so that no error adds up."""
    whole_s = max(1e-6, sum(part.media.duration_s for part in parts))
    ends: list[Fraction] = []
    frames, before_s = 0, 0.0
    for part in parts:
        began, share = _INSPECTED + (_MADE - _INSPECTED) * before_s / whole_s, part.media.duration_s / whole_s

        def report(done: float, began: float = began, share: float = share) -> None:
            task.progress(began + (_MADE - _INSPECTED) * share * done)

        start = ends[-1] if ends else Fraction(0)
        with naming(part.position, part.filename):
            if canvas is None:
                ends.append(start + Fraction(make_sound(task, part, None), RATE))
            else:
                frames += make_picture(task, part, canvas, report)
                ends.append(frames / canvas.rate)
                make_sound(task, part, _samples(ends[-1]) - _samples(start))
        before_s += part.media.duration_s
        report(1.0)
        _drop(task, part.path)
    return ends


def _samples(time_s: Fraction) -> int:
    return round(time_s * RATE)


def _drop(task: TaskContext, path: Path) -> None:
    """Make room, unless the file is storage's own."""
    if path.is_relative_to(task.scratch):
        with suppress(FileNotFoundError):
            path.unlink()


def _joined(task: TaskContext, parts: list[Part], canvas: Canvas | None, end: Fraction, *, has_sound: bool) -> Path:
    """All parts end to end in one file; nothing is encoded again."""
    streams = []
    if canvas is not None:
        (task.scratch / "pictures").write_text("".join(f"file {part.picture_file}\n" for part in parts))
        streams.append(ffmpeg.input("pictures", format="concat", protocol_whitelist="file")["v:0"])
    if has_sound:
        _join_sound(task, parts)
        streams.append(ffmpeg.input(SOUND, format="s16le", ar=RATE, ac=2, protocol_whitelist="file")["a:0"])
    made = FrameCount()
    output = ffmpeg.output(*streams, MERGED, c="copy", map_metadata=-1)
    run_ffmpeg(task, [output], report=made, reads_source=False)
    if canvas is not None and made.frames != end * canvas.rate:
        raise ChildFailed(f"merging gave {made.frames} frames of {end * canvas.rate}")
    return task.scratch / MERGED


def _join_sound(task: TaskContext, parts: list[Part]) -> None:
    with (task.scratch / SOUND).open("wb") as whole:
        for part in parts:
            path = task.scratch / part.sound_file
            with path.open("rb") as sound:
                copyfileobj(sound, whole, 2**20)
            path.unlink()
            task.raise_if_stopped()


def _check(task: TaskContext, path: Path, canvas: Canvas | None, end: Fraction, *, has_sound: bool) -> None:
    """Hold the file against what was decoded: exit code 0 is not success."""
    found = {s["codec_type"]: s for s in describe(task, path, reads_source=False).get("streams", ())}
    wanted = {"video"} if canvas else set()
    wanted |= {"audio"} if has_sound else set()
    if found.keys() != wanted:
        raise ChildFailed(f"merging gave {' and '.join(sorted(found)) or 'nothing'}")
    frame_s = float(1 / canvas.rate) if canvas else 1 / RATE
    for kind, stream in found.items():
        lasts = number(stream.get("duration"))
        if abs(lasts - float(end)) > frame_s:
            raise ChildFailed(f"merging gave {lasts:.3f} s of {kind} of {float(end):.3f} s")


def _segments(parts: list[Part], ends: list[Fraction]) -> list[dict[str, Any]]:
    starts = [Fraction(0), *ends[:-1]]
    return [_segment(part, start, end) for part, start, end in zip(parts, starts, ends, strict=True)]


def _segment(part: Part, start: Fraction, end: Fraction) -> dict[str, Any]:
    video = part.media.video
    return {
        "index": part.position,
        "filename": part.filename,
        "start_s": round(float(start), 6),
        "duration_s": round(float(end - start), 6),
        "width": video.display_width if video else None,
        "height": video.display_height if video else None,
        "fps": round(float(video.fps), 3) if video else None,
        "has_video": video is not None,
        "has_audio": part.media.audio is not None,
        "sha256": part.sha256,
    }
