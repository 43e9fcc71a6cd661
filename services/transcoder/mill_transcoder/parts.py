"""One of several sources, brought into the form that all of them get before they are joined.

The picture is decoded first, and what came out says how long the source is; its sound is then made exactly as long.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from mill_common.errors import ChildFailed
from mill_common.worker.context import TaskContext
from mill_transcoder.audio import RATE, aligned_sound, check_sound
from mill_transcoder.canvas import Canvas, place_on
from mill_transcoder.commands import run_ffmpeg
from mill_transcoder.encode import check_picture
from mill_transcoder.graph import BT709, even_picture, tone_mapped
from mill_transcoder.media import MediaInfo, VideoStream
from mill_transcoder.plan import GOP_S, Chunk

FRAME_BYTES = 4  # of sound: two channels of 16 bits
# Encoded once more and then removed: quality counts, then time, then size (docs/adr/0011).
QUALITY: dict[str, Any] = {"vcodec": "libx264", "preset": "ultrafast", "crf": 14}
Report = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A source that is to be merged with others."""

    position: int  # from 0
    filename: str
    path: Path
    sha256: str
    media: MediaInfo

    @property
    def picture_file(self) -> str:
        """Its picture on the canvas."""
        return f"{self.position:02d}.mp4"

    @property
    def sound_file(self) -> str:
        """Its sound as bare samples."""
        return f"{self.position:02d}.pcm"


def make_picture(task: TaskContext, part: Part, canvas: Canvas, report: Report) -> int:
    """Put a source's picture onto the canvas; black where it has none. Returns how many frames that made.

    Raises:
        SourceUnreadable: Far fewer frames could be decoded than the source declares.
    """
    frames = _Frames(report)
    video = part.media.video
    if video is None:
        expected = max(1, round(Fraction(part.media.duration_s) * canvas.rate))
        frames.expected = expected
        run_ffmpeg(task, [_written(_black(canvas), part, canvas, vframes=expected)], report=frames, reads_source=False)
        if frames.made != expected:
            raise ChildFailed(f"a black picture has {frames.made} frames instead of {expected}")
        return expected
    video = replace(video, rate=str(canvas.rate))
    whole = Chunk(index=0, first=0, frames=video.frames, last=True)
    frames.expected = whole.frames
    picture = _fitted(task, even_picture(task, part.path, part.media, video, whole), video, canvas)
    ended = run_ffmpeg(task, [_written(picture, part, canvas)], report=frames, reads_source=True)
    check_picture(frames.made, whole, video, ended)
    return frames.made


def make_sound(task: TaskContext, part: Part, samples: int | None) -> int:
    """Write a source's sound, `samples` of it or all that there are; silence where it has none. Returns how many.

    Raises:
        SourceUnreadable: Far less could be decoded than the source declares.
    """
    path = task.scratch / part.sound_file
    path.touch()
    if audio := part.media.audio:
        sound = aligned_sound(task, part.path, part.media, audio)
        if samples is not None:
            sound = sound.filter("aresample", RATE).filter("atrim", end_sample=samples)
        output = ffmpeg.output(sound, part.sound_file, f="s16le", acodec="pcm_s16le", ar=RATE, ac=2)
        run_ffmpeg(task, [output], report=lambda _frames, _us: None, reads_source=True)
        declared_s = max(0.0, audio.end_s - part.media.picture_start_s)
        expected_s = declared_s if samples is None else min(declared_s, samples / RATE)
        check_sound(path.stat().st_size / FRAME_BYTES / RATE, expected_s)
    if samples is None:
        samples = path.stat().st_size // FRAME_BYTES
    with path.open("r+b") as file:
        file.truncate(samples * FRAME_BYTES)  # which also fills up with silence
    return samples


class _Frames:
    """How far the encoder is."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.made, self.expected = 0, 1

    def __call__(self, frames: int, out_us: int) -> None:
        self.made = frames
        self._report(min(1.0, frames / self.expected))


def _fitted(task: TaskContext, picture: Any, video: VideoStream, canvas: Canvas) -> Any:
    place = place_on(canvas, video)
    if video.hdr:
        picture = tone_mapped(task, picture.filter("scale", place.width, place.height), video)
    # A file that does not say how its colours are meant is read as players read it: by its height.
    guessed = {} if video.matrix else {"in_color_matrix": "bt709" if video.height >= 720 else "smpte170m"}
    picture = picture.filter(
        "scale", place.width, place.height, out_color_matrix="bt709", out_range="tv", **({} if video.hdr else guessed)
    )
    picture = picture.filter("format", "yuv420p")
    return picture.filter("pad", canvas.width, canvas.height, place.left, place.top, color="black").filter("setsar", 1)


def _black(canvas: Canvas) -> Any:
    described = f"color=c=black:s={canvas.width}x{canvas.height}:r={canvas.rate}"
    return ffmpeg.input(described, f="lavfi")["v:0"].filter("format", "yuv420p")


def _written(picture: Any, part: Part, canvas: Canvas, **more: Any) -> Any:
    grid = {"g": max(1, round(GOP_S * canvas.rate)), "map_metadata": -1, "map_chapters": -1}
    return ffmpeg.output(picture, part.picture_file, **QUALITY, **grid, **BT709, **more)
