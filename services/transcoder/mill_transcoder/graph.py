"""Builds the filter graph that turns one decode into every rung of a chunk."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from mill_common.settings import Settings
from mill_common.worker.context import TaskContext
from mill_transcoder.binaries import find_binaries, has_filter
from mill_transcoder.commands import open_source
from mill_transcoder.ladder import Rung
from mill_transcoder.media import MediaInfo, VideoStream
from mill_transcoder.plan import Chunk

# Read this much before a chunk: filters and reordered frames look at their neighbours.
BEFORE_S = 2
BT709 = {"colorspace": "bt709", "color_primaries": "bt709", "color_trc": "bt709", "color_range": "tv"}


def chunk_outputs(
    task: TaskContext, source: Path, media: MediaInfo, chunk: Chunk, rungs: tuple[Rung, ...]
) -> list[Any]:
    """One ffmpeg-python output per rung, written to `{rung}.mp4`, all from one decode."""
    video = media.video
    assert video is not None
    picture = even_picture(task, source, media, video, chunk)
    if video.hdr:
        # Mapping costs more than all else: do it once, at the largest size that is needed.
        picture = tone_mapped(task, _scaled(picture, rungs[-1]), video)
    branches = picture.filter_multi_output("split", len(rungs)) if len(rungs) > 1 else [picture]
    return [
        ffmpeg.output(_finished(branches[at], rung), rung.file, **_codec(video, rung, task.settings))
        for at, rung in enumerate(rungs)
    ]


def even_picture(task: TaskContext, source: Path, media: MediaInfo, video: VideoStream, chunk: Chunk) -> Any:
    """A chunk's frames, decoded, upright and evenly spaced at `video.rate`."""
    picture = open_source(task, source, **_reading(media, video, chunk))[str(video.index)]
    return _even_frames(picture, media, video, chunk)


def tone_mapped(task: TaskContext, picture: Any, video: VideoStream) -> Any:
    """A picture of high dynamic range as BT.709."""
    for name, options in _tone_map(find_binaries(task.settings).ffmpeg, video):
        picture = picture.filter(name, **options)
    return picture


def _reading(media: MediaInfo, video: VideoStream, chunk: Chunk) -> dict[str, str | None]:
    """Where to read from. Seeking counts from the start of the file even when its clock is kept.

    Without accurate seeking the frame that is on screen at the chunk's start is kept, however long ago it began.
    Reading ends by itself once `trim` has let the chunk's last frame through.
    """
    options: dict[str, str | None] = {"copyts": None} if media.indexed else {}
    if chunk.first > 0:
        begin_s = (video.first_frame + chunk.first) / video.fps - Fraction(media.start_s)
        options |= {"ss": seconds(max(begin_s - BEFORE_S, Fraction(0))), "noaccurate_seek": None}
    return options


def _even_frames(picture: Any, media: MediaInfo, video: VideoStream, chunk: Chunk) -> Any:
    """Exactly the chunk's frames, evenly spaced, with the first at zero.

    `fps` begins at the first frame whatever the source has there, and counts time in frames from then on; `tpad`
    holds the last picture where the source has a gap. So a chunk has as many frames as one pass would have given it.
    """
    first = video.first_frame + chunk.first
    if not media.indexed:
        # Versions of ffmpeg differ in where they let such a file's clock begin. It is never cut, so begin at zero.
        first, picture = 0, picture.filter("setpts", "PTS-STARTPTS")
    if video.interlaced:
        picture = picture.filter("bwdif", mode="send_frame", parity="auto", deint="interlaced")
    picture = picture.filter("fps", fps=video.rate, start_time=seconds(first / video.fps))
    if not chunk.last:
        picture = picture.filter("tpad", stop=-1, stop_mode="clone")
        picture = picture.filter("trim", start_pts=first, end_pts=first + chunk.frames)
    return picture.filter("setpts", "PTS-STARTPTS")


def _scaled(picture: Any, rung: Rung) -> Any:
    return picture.filter("scale", rung.width, rung.height, out_range="tv")


def _finished(picture: Any, rung: Rung) -> Any:
    return _scaled(picture, rung).filter("setsar", 1).filter("format", "yuv420p")


def _tone_map(program: str, video: VideoStream) -> list[tuple[str, dict[str, Any]]]:
    """From high dynamic range to tagged BT.709, with whichever filters this build of ffmpeg has."""
    transfer, primaries, matrix = video.transfer, video.primaries or "bt2020", video.matrix or "bt2020nc"
    if not has_filter(program, "zscale"):
        known = {"in_transfer": transfer, "in_primaries": primaries, "in_color_matrix": matrix}
        target = {"out_transfer": "bt709", "out_primaries": "bt709", "out_color_matrix": "bt709", "out_range": "tv"}
        return [("scale", known | target), ("format", {"pix_fmts": "yuv420p"})]
    return [
        ("zscale", {"tin": transfer, "pin": primaries, "min": matrix, "t": "linear", "npl": 203}),
        ("format", {"pix_fmts": "gbrpf32le"}),
        ("zscale", {"p": "bt709"}),
        ("tonemap", {"tonemap": "mobius", "desat": 0}),
        ("zscale", {"t": "bt709", "m": "bt709", "r": "tv"}),
        ("format", {"pix_fmts": "yuv420p"}),
    ]


def _codec(video: VideoStream, rung: Rung, settings: Settings) -> dict[str, Any]:
    """x264 with key frames on a fixed grid, so that rungs and chunks fit together."""
    gop = max(1, round(2 * video.fps))
    rate = peak_bit_rate(rung, video.fps)
    options: dict[str, Any] = {
        "vcodec": "libx264",
        "preset": settings.encode_preset,
        "crf": settings.encode_crf,
        "g": gop,
        "keyint_min": gop,
        "sc_threshold": 0,
        "flags": "+cgop",
        "maxrate": rate,
        "bufsize": 2 * rate,
        "map_metadata": -1,
        "map_chapters": -1,
    }
    return options | (BT709 if video.hdr else {})


def peak_bit_rate(rung: Rung, fps: Fraction) -> int:
    """The most bits per second a rung may need: 4.5 Mbit/s at 720p, sublinear in pixels, more for fast frames."""
    factor: float = (rung.width * rung.height / (1280 * 720)) ** 0.75
    return max(100_000, round(4_500_000 * factor * (1.4 if fps > 30 else 1.0)))


def seconds(value: Fraction) -> str:
    """A time for ffmpeg, to the microsecond."""
    return f"{float(value):.6f}"
