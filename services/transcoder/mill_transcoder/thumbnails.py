"""The step `thumbnails`: a poster, and sheets of small pictures with an index for seeking."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import ffmpeg

from mill_common.errors import ChildFailed
from mill_common.queue.types import TaskResult
from mill_common.spec import ThumbnailsSpec
from mill_common.worker.context import TaskContext
from mill_transcoder.commands import run_ffmpeg
from mill_transcoder.encode import load_media, load_plan
from mill_transcoder.ladder import Rung, even
from mill_transcoder.package import decoded_frames

FOLDER = "thumbnails"
POSTER_AT = 0.1  # of the duration: past a black opening
POSTER_FROM_S = 10  # the poster is the most typical key frame of this stretch
LONG_SIDE = 160  # pixels
COLUMNS, ROWS = 10, 10
WANTED = 100  # pictures, as long as they are not more than `LONGEST_S` apart
LONGEST_S = 10


@dataclass(frozen=True)
class Sheets:
    """How a video's pictures lie on sheets. `every` counts groups of frames, one picture from each `every`-th."""

    every: int
    interval_s: Fraction
    count: int
    width: int
    height: int

    @classmethod
    def of(cls, rung: Rung, frames: int, gop: int, fps: Fraction, interval_s: float | None = None) -> Sheets:
        """Pictures as far apart as asked; else one a group in a short video, one in ten seconds in a long one."""
        groups = ceil(Fraction(frames, gop))
        most = max(1, int(LONGEST_S * fps / gop))
        every = min(most, max(1, ceil(Fraction(groups, WANTED))))
        if interval_s is not None:
            every = max(1, round(Fraction(interval_s) * fps / gop))
        scale = Fraction(LONG_SIDE, max(rung.width, rung.height))
        return cls(
            every=every,
            interval_s=every * gop / fps,
            count=ceil(Fraction(groups, every)),
            width=even(rung.width * scale, LONG_SIDE),
            height=even(rung.height * scale, LONG_SIDE),
        )

    @property
    def columns(self) -> int:
        """Pictures side by side."""
        return min(COLUMNS, self.count)

    @property
    def rows(self) -> int:
        """Rows on a full sheet."""
        return min(ROWS, ceil(self.count / COLUMNS))

    @property
    def sheets(self) -> int:
        """How many sheets there are."""
        return ceil(self.count / (self.columns * self.rows))

    def place(self, at: int) -> tuple[str, int, int]:
        """The sheet of picture `at`, and its left and top in pixels."""
        sheet, within = divmod(at, self.columns * self.rows)
        row, column = divmod(within, self.columns)
        return f"sprite-{sheet + 1:03d}.jpg", column * self.width, row * self.height

    def index(self, duration_s: float) -> str:
        """The WebVTT that says which picture is shown when."""
        cues = ["WEBVTT\n"]
        for at in range(self.count):
            sheet, left, top = self.place(at)
            begins = float(at * self.interval_s)
            ends = min(duration_s, float((at + 1) * self.interval_s))
            cues.append(f"{clock(begins)} --> {clock(ends)}\n{sheet}#xywh={left},{top},{self.width},{self.height}\n")
        return "\n".join(cues)


def clock(at_s: float) -> str:
    """A time as WebVTT writes it."""
    ms = round(at_s * 1000)
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"


def thumbnails(task: TaskContext) -> TaskResult:
    """Make the poster from the largest rendition and the sheets from the smallest, from key frames alone."""
    task.progress(0.0, "thumbnails")
    plan = load_plan(task)
    video = load_media(task).video
    assert video is not None
    frames = decoded_frames(task, plan)
    duration_s = float(frames / video.fps)
    spec = task.job.spec.thumbnails
    assert spec is not None
    small, large = plan.rungs[0], plan.rungs[-1]
    _posters(task, spec, large, duration_s, float(1 / video.fps))
    if not spec.sprites:
        return TaskResult(result={"pictures": 0, "sheets": 0})
    task.progress(0.3)
    sheets = Sheets.of(small, frames, plan.gop, video.fps, spec.interval_s)
    _sprites(task, task.fetch(small.file), sheets)
    _index(task, sheets, duration_s)
    return TaskResult(result={"pictures": sheets.count, "sheets": sheets.sheets})


def posters(spec: ThumbnailsSpec) -> list[str]:
    """The names of the pictures asked for; the first is the poster."""
    count = len(spec.times) if spec.times else spec.count or 1
    return ["poster.jpg", *(f"poster-{number:02d}.jpg" for number in range(2, count + 1))]


def _posters(task: TaskContext, spec: ThumbnailsSpec, rung: Rung, duration_s: float, frame_s: float) -> None:
    path = task.fetch(rung.file)
    if spec.times is None and spec.count is None:
        _poster(task, path, rung, duration_s)
        return
    # In the middle of equal stretches, so that neither the first nor the last picture is one.
    count = spec.count or 1
    times = spec.times or tuple((at + 0.5) * duration_s / count for at in range(count))
    for name, at_s in zip(posters(spec), times, strict=True):
        # Half a frame more than one from the end: the last picture begins a whole one from it.
        _picture_at(task, path, name, rung, max(0.0, min(at_s, duration_s - 1.5 * frame_s)))


def _picture_at(task: TaskContext, path: Path, name: str, rung: Rung, at_s: float) -> None:
    picture = ffmpeg.input(f"file:{path.absolute()}", ss=f"{at_s:.3f}")["v:0"]
    output = ffmpeg.output(_jpeg(picture), name, format="image2", update=1, vframes=1, **{"q:v": 3})
    run_ffmpeg(task, [output], report=_unreported, reads_source=False)
    facts = {"width": rung.width, "height": rung.height, "at_s": round(at_s, 3)}
    _store(task, task.scratch / name, "image/jpeg", facts)


def _key_frames(path: Path, **options: Any) -> Any:
    return ffmpeg.input(f"file:{path.absolute()}", skip_frame="nokey", **options)["v:0"]


def _poster(task: TaskContext, path: Path, rung: Rung, duration_s: float) -> None:
    # Without accurate seeking the key frame before the wanted time counts as well: a short clip has no other. Its time
    # is then below zero, which would drop it, so times are set anew.
    picture = _key_frames(path, ss=f"{POSTER_AT * duration_s:.3f}", t=POSTER_FROM_S, noaccurate_seek=None)
    output = ffmpeg.output(
        _jpeg(picture.filter("thumbnail", 5).filter("setpts", "N/TB")),
        "poster.jpg",
        format="image2",
        update=1,
        vframes=1,
        **{"q:v": 3},
    )
    run_ffmpeg(task, [output], report=_unreported, reads_source=False)
    _store(task, task.scratch / "poster.jpg", "image/jpeg", {"width": rung.width, "height": rung.height})


def _sprites(task: TaskContext, path: Path, sheets: Sheets) -> None:
    picture = _key_frames(path).filter("select", f"not(mod(n,{sheets.every}))")
    picture = _jpeg(picture.filter("scale", sheets.width, sheets.height))
    picture = picture.filter("tile", layout=f"{sheets.columns}x{sheets.rows}")
    output = ffmpeg.output(picture, "sprite-%03d.jpg", format="image2", fps_mode="passthrough", **{"q:v": 4})
    run_ffmpeg(task, [output], report=_unreported, reads_source=False)
    made = sorted(task.scratch.glob("sprite-*.jpg"))
    if len(made) != sheets.sheets:
        raise ChildFailed(f"{len(made)} sheets of pictures were made instead of {sheets.sheets}")
    for sheet in made:
        size = {"width": sheets.columns * sheets.width, "height": sheets.rows * sheets.height}
        _store(task, sheet, "image/jpeg", size)


def _index(task: TaskContext, sheets: Sheets, duration_s: float) -> None:
    index = task.scratch / "thumbnails.vtt"
    index.write_text(sheets.index(duration_s))
    facts = {
        "pictures": sheets.count,
        "interval_s": round(float(sheets.interval_s), 3),
        "width": sheets.width,
        "height": sheets.height,
    }
    _store(task, index, "text/vtt", facts)


def _jpeg(picture: Any) -> Any:
    """JPEG's own pixel format and full range."""
    return picture.filter("scale", out_range="full").filter("format", "yuvj420p")


def _unreported(frames: int, out_us: int) -> None:
    """These take a moment."""


def _store(task: TaskContext, path: Path, content_type: str, facts: dict[str, Any]) -> None:
    if not path.exists() or path.stat().st_size == 0:
        raise ChildFailed(f"{path.name} was not made")
    task.put(path, f"{FOLDER}/{path.name}", kind="thumbnail", content_type=content_type, facts=facts)
