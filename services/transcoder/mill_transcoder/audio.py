"""The step `audio`: AAC for the renditions, MP3 to download and speech for the transcript, from one decode."""

from __future__ import annotations

from typing import Any

import ffmpeg

from mill_common.errors import ChildFailed, SourceUnreadable
from mill_common.queue.types import TaskResult
from mill_common.spec import JobSpec
from mill_common.worker.context import TaskContext
from mill_transcoder.commands import open_source, run_ffmpeg
from mill_transcoder.encode import load_media
from mill_transcoder.media import AudioStream, MediaInfo
from mill_transcoder.probe import falls_short

AAC, MP3, SPEECH = "audio.m4a", "audio.mp3", "speech.wav"
CODECS: dict[str, dict[str, Any]] = {
    AAC: {"acodec": "aac", "b:a": "128k", "ar": 48000, "ac": 2},
    MP3: {"acodec": "libmp3lame", "b:a": "128k", "ar": 48000, "ac": 2},
    SPEECH: {"acodec": "pcm_s16le", "ar": 16000, "ac": 1},
}
KINDS = {AAC: ("sound", "audio/mp4"), MP3: ("audio", "audio/mpeg"), SPEECH: ("speech", "audio/wav")}


class Sound:
    """How much sound has been made."""

    def __init__(self, task: TaskContext, expected_s: float) -> None:
        self._task, self._expected_s = task, expected_s
        self.made_s = 0.0

    def __call__(self, frames: int, out_us: int) -> None:
        self.made_s = out_us / 1e6
        self._task.progress(min(1.0, self.made_s / self._expected_s))


def extract_audio(task: TaskContext) -> TaskResult:
    """Decode the sound once, aligned to the start of the picture.

    Raises:
        SourceUnreadable: Far less sound could be decoded than the source declares.
    """
    task.progress(0.0, "extracting audio")
    media = load_media(task)
    assert media.audio is not None
    names = wanted(media, task.job.spec)
    expected_s = max(0.05, media.audio.end_s - media.picture_start_s)
    sound = Sound(task, expected_s)
    run_ffmpeg(task, _outputs(task, media, media.audio, names), report=sound, reads_source=True)
    if falls_short(sound.made_s, expected_s):
        raise SourceUnreadable(
            f"Only {sound.made_s:.1f} s of {expected_s:.1f} s of the sound could be decoded: "
            "the source is incomplete or damaged."
        )
    for name in names:
        _store(task, name, sound.made_s)
    return TaskResult(result={"duration_s": round(sound.made_s, 6)})


def wanted(media: MediaInfo, spec: JobSpec) -> list[str]:
    """The files to make."""
    asked = {AAC: media.video is not None, MP3: spec.audio, SPEECH: spec.transcript is not None}
    return [name for name, yes in asked.items() if yes]


def _outputs(task: TaskContext, media: MediaInfo, audio: AudioStream, names: list[str]) -> list[Any]:
    """Sound before the picture's start is cut, a late track begins with silence, gaps are filled."""
    sound = open_source(task, task.source())[str(audio.index)]
    sound = sound.filter("asetpts", _shift(media, audio)).filter("atrim", start=0)
    sound = sound.filter("aresample", **{"async": 1, "first_pts": 0})
    branches = sound.filter_multi_output("asplit", len(names)) if len(names) > 1 else [sound]
    return [
        ffmpeg.output(branches[at], name, map_metadata=-1, map_chapters=-1, **CODECS[name])
        for at, name in enumerate(names)
    ]


def _shift(media: MediaInfo, audio: AudioStream) -> str:
    """The filter expression that puts the start of the picture at zero.

    ffmpeg counts from the start of the file. In a container without an index versions differ in what that is, so
    there the sound's own first sample is the mark.
    """
    if media.indexed:
        return f"PTS-({media.picture_start_s - media.start_s:.6f})/TB"
    return f"PTS-STARTPTS+({audio.start_s - media.picture_start_s:.6f})/TB"


def _store(task: TaskContext, name: str, duration_s: float) -> None:
    path = task.scratch / name
    if path.stat().st_size == 0:
        raise ChildFailed(f"{name} is empty")
    kind, content_type = KINDS[name]
    options = CODECS[name]
    facts = {
        "duration_s": round(duration_s, 3),
        "codec": options["acodec"].removeprefix("lib").removesuffix("lame"),
        "sample_rate": options["ar"],
        "channels": options["ac"],
        "bitrate": round(path.stat().st_size * 8 / max(duration_s, 0.05)),
    }
    task.put(path, name, kind=kind, content_type=content_type, intermediate=name != MP3, facts=facts)
