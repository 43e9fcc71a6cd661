"""The step `encode`: every rung of one chunk, from one decode, without sound."""

from __future__ import annotations

import re

from mill_common.errors import ChildFailed, SourceUnreadable
from mill_common.metrics.instruments import MEDIA_SECONDS
from mill_common.queue.types import TaskResult
from mill_common.worker.context import TaskContext
from mill_transcoder.commands import run_ffmpeg
from mill_transcoder.graph import chunk_outputs
from mill_transcoder.media import MediaInfo, VideoStream
from mill_transcoder.plan import Chunk, EncodePlan
from mill_transcoder.probe import falls_short
from mill_transcoder.process import Ended

COUNTS = re.compile(r"\(video\): (\d+) packets read \(\d+ bytes\); (\d+) frames decoded")
# Some codecs spend packets on frames that are never shown; more than a quarter lost is damage.
MAX_LOST = 0.25


class Frames:
    """How far the encoder is."""

    def __init__(self, task: TaskContext, expected: int) -> None:
        self._task, self._expected = task, expected
        self.made = 0

    def __call__(self, frames: int, out_us: int) -> None:
        self.made = frames
        self._task.progress(min(1.0, frames / self._expected))


def encode(task: TaskContext) -> TaskResult:
    """Encode one chunk.

    Raises:
        SourceUnreadable: Far fewer frames could be decoded than the source declares.
    """
    task.progress(0.0, "encoding")
    media = load_media(task)
    plan = load_plan(task)
    chunk = plan.chunks[task.params["chunk"]]
    assert media.video is not None
    frames = Frames(task, chunk.frames)
    outputs = chunk_outputs(task, task.source(), media, chunk, plan.rungs)
    ended = run_ffmpeg(task, outputs, report=frames, reads_source=True)
    _check(frames.made, chunk, media.video, ended)
    MEDIA_SECONDS.labels("encode").inc(frames.made / float(media.video.fps))
    _store(task, plan, chunk, frames.made, media.video)
    return TaskResult(result={"frames": frames.made})


def load_media(task: TaskContext) -> MediaInfo:
    """The source's facts, as `probe` wrote them."""
    assert task.job.media is not None
    return MediaInfo.from_json(task.job.media)


def load_plan(task: TaskContext) -> EncodePlan:
    """What `probe` planned for the picture."""
    return EncodePlan.from_json(task.result_of("probe")["encode"])


def _check(made: int, chunk: Chunk, video: VideoStream, ended: Ended) -> None:
    fps = float(video.fps)
    if made == 0 or falls_short(made / fps, chunk.frames / fps):
        raise SourceUnreadable(
            f"Only {made / fps:.1f} s of {chunk.frames / fps:.1f} s of the picture could be decoded: "
            "the source is incomplete or damaged."
        )
    if not chunk.last and made != chunk.frames:
        raise ChildFailed(f"a chunk has {made} frames instead of {chunk.frames}")
    for read, decoded in COUNTS.findall(ended.stderr):
        if int(decoded) < (1 - MAX_LOST) * int(read) - fps:
            raise SourceUnreadable(f"Only {decoded} of {read} pictures could be decoded: the source is damaged.")


def _store(task: TaskContext, plan: EncodePlan, chunk: Chunk, frames: int, video: VideoStream) -> None:
    facts = {"frames": frames, "duration_s": round(float(frames / video.fps), 6)}
    for rung in plan.rungs:
        path = task.scratch / rung.file
        if path.stat().st_size == 0:
            raise ChildFailed(f"the part of {rung.name} is empty")
        task.put(
            path,
            f"{chunk.folder}/{rung.file}",
            kind="chunk",
            content_type="video/mp4",
            intermediate=True,
            facts={**facts, "width": rung.width, "height": rung.height},
        )
