"""The step `publish`: nothing becomes visible that does not bear out what was decoded."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mill_common.errors import OutputInvalid
from mill_common.queue.types import NewOutput, TaskResult
from mill_common.worker.context import TaskContext
from mill_transcoder.boxes import has_faststart
from mill_transcoder.commands import describe
from mill_transcoder.described import number
from mill_transcoder.encode import load_media, load_plan
from mill_transcoder.hls import check_stream
from mill_transcoder.ladder import Rung
from mill_transcoder.media import VideoStream
from mill_transcoder.package import decoded_frames
from mill_transcoder.plan import EncodePlan
from mill_transcoder.rates import parse_rate
from mill_transcoder.stream import HLS, expected_rungs, local_stream
from mill_transcoder.thumbnails import FOLDER, posters

SOUNDS = {"mp3": "mp3", "m4a": "aac", "opus": "opus", "wav": "pcm_s16le"}  # ffprobe's names of the codecs
TOLERANCE_S = 0.5  # rounding, encoder padding


def publish(task: TaskContext) -> TaskResult:
    """Check every output, then make them visible.

    Raises:
        OutputInvalid: An output is missing, empty, too short or not what its name says.
    """
    task.progress(0.0, "verifying")
    media = load_media(task)
    audio_s = float(task.result_of("audio")["duration_s"]) if media.audio and _asked_for_sound(task) else None
    for output in task.outputs().values():
        # Where nobody speaks a transcript is rightly empty.
        if output.kind != "transcript" and (output.size == 0 or not all(output.files.values())):
            raise OutputInvalid(f"{output.name} is empty.")
    if media.video:
        _check_picture(task, media.video, audio_s)
    if audio_s is not None and task.job.spec.audio:
        for kind in task.job.spec.audio.formats:
            _check_sound(task, kind, audio_s)
    task.progress(1.0, "publishing")
    return TaskResult(publish=True)


def _asked_for_sound(task: TaskContext) -> bool:
    media, spec = load_media(task), task.job.spec
    return bool(media.video or spec.audio or spec.transcript)


def _check_picture(task: TaskContext, video: VideoStream, audio_s: float | None) -> None:
    plan = load_plan(task)
    video_s = float(decoded_frames(task, plan) / video.fps)
    for rung in plan.rungs:
        _check_rendition(task, rung, video, video_s, audio_s)
    if task.job.spec.hls:
        _check_hls(task, plan, video_s, audio_s)
    if task.job.spec.thumbnails:
        _check_thumbnails(task)


def _check_rendition(task: TaskContext, rung: Rung, video: VideoStream, video_s: float, audio_s: float | None) -> None:
    path = _fetched(task, rung.file)
    streams = _streams(task, path)
    picture = streams.get("video", {})
    facts = (picture.get("codec_name"), picture.get("width"), picture.get("height"), picture.get("pix_fmt"))
    if facts != ("h264", rung.width, rung.height, "yuv420p"):
        raise OutputInvalid(f"{rung.file} is not the picture that was planned.")
    if parse_rate(picture.get("r_frame_rate")) != video.fps:
        raise OutputInvalid(f"{rung.file} has {picture.get('r_frame_rate')} frames per second, not {video.rate}.")
    _check_duration(rung.file, picture, video_s)
    if (audio_s is None) != ("audio" not in streams):
        raise OutputInvalid(f"{rung.file} has no sound, or sound that the source has not.")
    if audio_s is not None:
        _check_duration(rung.file, streams["audio"], audio_s)
    if not has_faststart(path):
        raise OutputInvalid(f"{rung.file} cannot be played while it loads: its index comes last.")


def _check_sound(task: TaskContext, kind: str, audio_s: float) -> None:
    name = f"audio.{kind}"
    sound = _streams(task, _fetched(task, name)).get("audio", {})
    if sound.get("codec_name") != SOUNDS[kind]:
        raise OutputInvalid(f"{name} is not {kind.upper()}.")
    _check_duration(name, sound, audio_s)


def _check_hls(task: TaskContext, plan: EncodePlan, video_s: float, audio_s: float | None) -> None:
    folder = _fetched(task, HLS)
    stream = local_stream(folder)
    if dict(_output(task, HLS).files) != dict(stream.files):
        raise OutputInvalid("The stored stream is not the one that was made.")
    check_stream(stream, rungs=expected_rungs(plan), video_s=video_s, audio_s=audio_s)


def _check_thumbnails(task: TaskContext) -> None:
    spec = task.job.spec.thumbnails
    named = set(posters(spec)) if spec else set()
    if spec and spec.sprites:
        index = _fetched(task, f"{FOLDER}/thumbnails.vtt").read_text()
        sheets = {line.split("#")[0] for line in index.splitlines() if "#xywh=" in line}
        if not sheets:
            raise OutputInvalid("The index of thumbnails names no picture.")
        named |= sheets
    for name in sorted(named):
        with _fetched(task, f"{FOLDER}/{name}").open("rb") as picture:
            if picture.read(3) != b"\xff\xd8\xff":
                raise OutputInvalid(f"{name} is no JPEG picture.")


def _streams(task: TaskContext, path: Path) -> dict[str, Mapping[str, Any]]:
    described = describe(task, path, reads_source=False)
    return {stream["codec_type"]: stream for stream in described.get("streams", ())}


def _check_duration(name: str, stream: Mapping[str, Any], expected_s: float) -> None:
    lasts_s = number(stream.get("duration"))
    if abs(lasts_s - expected_s) > TOLERANCE_S:
        raise OutputInvalid(f"{name} lasts {lasts_s:.2f} s; {expected_s:.2f} s were decoded.")


def _output(task: TaskContext, name: str) -> NewOutput:
    output = task.output(name)
    if output is None:
        raise OutputInvalid(f"{name} was not made.")
    return output


def _fetched(task: TaskContext, name: str) -> Path:
    _output(task, name)
    return task.fetch(name)
