"""The step `audio`: AAC for the renditions, files to download and speech for the transcript, from one decode."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
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

SPEECH = "speech.wav"
RATE = 48_000
TRACK_KBPS = 128  # of the renditions' sound
TYPES = {"mp3": "audio/mpeg", "m4a": "audio/mp4", "opus": "audio/ogg", "wav": "audio/wav"}
# An index that comes first plays while it loads; sound of more than six hours is too long for plain WAV.
CONTAINERS: dict[str, dict[str, Any]] = {"m4a": {"movflags": "+faststart"}, "wav": {"rf64": "auto"}}
LOSSY = {"mp3": "libmp3lame", "m4a": "aac", "opus": "libopus"}


@dataclass(frozen=True)
class Track:
    """One file to make of the sound."""

    name: str
    kind: str
    codec: str
    rate: int  # samples a second
    channels: int
    kbps: int | None = None
    intermediate: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """What ffmpeg is told."""
        options: dict[str, Any] = {"acodec": self.codec, "ar": self.rate, "ac": self.channels}
        if self.kbps is not None:
            options["b:a"] = f"{self.kbps}k"
        return options | CONTAINERS.get(self.name.rpartition(".")[2], {})

    @property
    def content_type(self) -> str:
        """By the name's suffix."""
        return TYPES[self.name.rpartition(".")[2]]


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
    tracks = wanted(media, task.job.spec)
    expected_s = max(0.05, media.audio.end_s - media.picture_start_s)
    sound = Sound(task, expected_s)
    run_ffmpeg(task, _outputs(task, media, media.audio, tracks), report=sound, reads_source=True)
    check_sound(sound.made_s, expected_s)
    for track in tracks:
        _store(task, track, sound.made_s)
    return TaskResult(result={"duration_s": round(sound.made_s, 6)})


def wanted(media: MediaInfo, spec: JobSpec) -> list[Track]:
    """The files to make."""
    tracks = [_download(name, spec.audio.bitrate_kbps) for name in spec.audio.formats] if spec.audio else []
    if media.video is not None and all(track.name != soundtrack(spec) for track in tracks):
        tracks.insert(0, Track(soundtrack(spec), "sound", "aac", RATE, 2, TRACK_KBPS, intermediate=True))
    if spec.transcript is not None:
        tracks.append(Track(SPEECH, "speech", "pcm_s16le", 16_000, 1, intermediate=True))
    return tracks


def soundtrack(spec: JobSpec) -> str:
    """The file whose sound the renditions get: the download in AAC, too, where that is of the same bit rate."""
    asked = spec.audio is not None and "m4a" in spec.audio.formats
    return "sound.m4a" if asked and spec.audio and spec.audio.bitrate_kbps != TRACK_KBPS else "audio.m4a"


def _download(kind: str, kbps: int) -> Track:
    name = f"audio.{kind}"
    return Track(name, "audio", LOSSY.get(kind, "pcm_s16le"), RATE, 2, kbps if kind in LOSSY else None)


def aligned_sound(task: TaskContext, source: Path, media: MediaInfo, audio: AudioStream) -> Any:
    """Sound before the picture's start is cut, a late track begins with silence, gaps are filled."""
    sound = open_source(task, source)[str(audio.index)]
    sound = sound.filter("asetpts", _shift(media, audio)).filter("atrim", start=0)
    return sound.filter("aresample", **{"async": 1, "first_pts": 0})


def check_sound(made_s: float, expected_s: float) -> None:
    """Raise `SourceUnreadable` if far less sound was decoded than the source declares."""
    if falls_short(made_s, expected_s):
        raise SourceUnreadable(
            f"Only {made_s:.1f} s of {expected_s:.1f} s of the sound could be decoded: "
            "the source is incomplete or damaged."
        )


def _outputs(task: TaskContext, media: MediaInfo, audio: AudioStream, tracks: list[Track]) -> list[Any]:
    sound = aligned_sound(task, task.source(), media, audio)
    branches = sound.filter_multi_output("asplit", len(tracks)) if len(tracks) > 1 else [sound]
    return [
        ffmpeg.output(branches[at], track.name, map_metadata=-1, map_chapters=-1, **track.options)
        for at, track in enumerate(tracks)
    ]


def _shift(media: MediaInfo, audio: AudioStream) -> str:
    """The filter expression that puts the start of the picture at zero.

    ffmpeg counts from the start of the file. In a container without an index versions differ in what that is, so
    there the sound's own first sample is the mark.
    """
    if media.indexed:
        return f"PTS-({media.picture_start_s - media.start_s:.6f})/TB"
    return f"PTS-STARTPTS+({audio.start_s - media.picture_start_s:.6f})/TB"


def _store(task: TaskContext, track: Track, duration_s: float) -> None:
    path = task.scratch / track.name
    if path.stat().st_size == 0:
        raise ChildFailed(f"{track.name} is empty")
    facts = {
        "duration_s": round(duration_s, 3),
        "codec": track.codec.removeprefix("lib").removesuffix("lame"),
        "sample_rate": track.rate,
        "channels": track.channels,
        "bitrate": round(path.stat().st_size * 8 / max(duration_s, 0.05)),
    }
    task.put(
        path,
        track.name,
        kind=track.kind,
        content_type=track.content_type,
        intermediate=track.intermediate,
        facts=facts,
    )
