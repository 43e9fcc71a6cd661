"""The step `package`: one MP4 per rung, and the CMAF stream. Nothing is encoded again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ffmpeg

from mill_common.errors import ChildFailed
from mill_common.queue.types import TaskResult
from mill_common.worker.context import TaskContext
from mill_transcoder.audio import soundtrack
from mill_transcoder.commands import run_ffmpeg
from mill_transcoder.encode import load_media, load_plan
from mill_transcoder.ladder import Rung
from mill_transcoder.media import MediaInfo, VideoStream
from mill_transcoder.plan import EncodePlan
from mill_transcoder.progress import FrameCount
from mill_transcoder.stream import HLS, SOUND, package_stream


def package(task: TaskContext) -> TaskResult:
    """Join the chunks, add the sound, cut the stream.

    Raises:
        ChildFailed: What came out is not whole; making it again may help.
    """
    task.progress(0.0, "packaging")
    media, plan = load_media(task), load_plan(task)
    assert media.video is not None
    frames = decoded_frames(task, plan)
    if media.audio:
        (task.scratch / SOUND).symlink_to(task.fetch(soundtrack(task.job.spec)).absolute())
    for at, rung in enumerate(plan.rungs):
        _join(task, plan, rung, frames, with_sound=media.audio is not None)
        task.progress(0.6 * (at + 1) / len(plan.rungs))
    if task.job.spec.hls:
        task.progress(0.6, "streaming")
        folder, facts = package_stream(task, plan, media.video, frames)
        task.progress(0.9, "storing")
        task.put_tree(folder, HLS, kind="hls", facts=facts)
    for rung in plan.rungs:
        _store(task, rung, media, media.video, frames)
    return TaskResult(result={"frames": frames})


def decoded_frames(task: TaskContext, plan: EncodePlan) -> int:
    """How many frames the encoders made, all chunks together."""
    return sum(int(task.result_of(f"encode-{chunk.index:03d}")["frames"]) for chunk in plan.chunks)


def _join(task: TaskContext, plan: EncodePlan, rung: Rung, frames: int, *, with_sound: bool) -> None:
    made = FrameCount()
    streams = [_picture(task, plan, rung)["v:0"]] + ([ffmpeg.input(SOUND)["a:0"]] if with_sound else [])
    options = {"c": "copy", "video_track_timescale": 90000, "movflags": "+faststart", "map_metadata": -1}
    run_ffmpeg(task, [ffmpeg.output(*streams, rung.file, **options)], report=made, reads_source=False)
    if made.frames != frames:
        raise ChildFailed(f"joining {rung.name} gave {made.frames} frames of {frames}")


def _picture(task: TaskContext, plan: EncodePlan, rung: Rung) -> Any:
    """The chunks' parts, under names of our own: a list of files quotes no path."""
    parts = [_linked(task, f"{chunk.folder}/{rung.file}") for chunk in plan.chunks]
    if len(parts) == 1:
        return ffmpeg.input(parts[0])
    list_file = task.scratch / f"{rung.name}.parts"
    list_file.write_text("".join(f"file {part}\n" for part in parts))
    return ffmpeg.input(list_file.name, format="concat", protocol_whitelist="file")


def _linked(task: TaskContext, name: str) -> str:
    link = Path(name.replace("/", "-"))
    (task.scratch / link).symlink_to(task.fetch(name).absolute())
    return str(link)


def _store(task: TaskContext, rung: Rung, media: MediaInfo, video: VideoStream, frames: int) -> None:
    path = task.scratch / rung.file
    duration_s = float(frames / video.fps)
    facts: Mapping[str, Any] = {
        "width": rung.width,
        "height": rung.height,
        "fps": round(float(video.fps), 3),
        "duration_s": round(duration_s, 3),
        "bitrate": round(path.stat().st_size * 8 / duration_s),
        "codec": "h264",
        "audio_codec": "aac" if media.audio else None,
    }
    task.put(path, rung.file, kind="rendition", content_type="video/mp4", facts=facts)
