"""Plans the tasks that follow a probe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, Self

from mill_common.queue.types import TRANSCRIBE, NewTask
from mill_common.settings import Settings
from mill_common.spec import JobSpec
from mill_transcoder.ladder import Rung, build_ladder
from mill_transcoder.media import MediaInfo, VideoStream

GOP_S = 2
# A source is cut only above this many chunks: two short halves cost more than they save.
CUT_ABOVE = Fraction(3, 2)
# CPU-seconds for each pixel decoded and encoded (measured with veryfast), and of the other steps.
DECODE_COST, ENCODE_COST = 6e-9, 1.2e-8
AUDIO_COST, SPEECH_COST, PACKAGE_COST = 0.02, 0.3, 0.012


@dataclass(frozen=True)
class Chunk:
    """A run of frames, counted from the picture's first."""

    index: int
    first: int
    frames: int
    last: bool

    @property
    def folder(self) -> str:
        """Where its parts lie among the outputs."""
        return f"chunks/{self.index:03d}"


@dataclass(frozen=True)
class EncodePlan:
    """What every encoding task must agree on."""

    rungs: tuple[Rung, ...]
    gop: int  # frames
    chunks: tuple[Chunk, ...]

    @property
    def frames(self) -> int:
        """Frames of the whole picture."""
        return sum(chunk.frames for chunk in self.chunks)

    def to_json(self) -> dict[str, Any]:
        """Plain values for the probe's result."""
        return {
            "gop": self.gop,
            "rungs": [[rung.name, rung.width, rung.height] for rung in self.rungs],
            "chunks": [[chunk.first, chunk.frames] for chunk in self.chunks],
        }

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        count = len(plain["chunks"])
        return cls(
            rungs=tuple(Rung(*rung) for rung in plain["rungs"]),
            gop=plain["gop"],
            chunks=tuple(Chunk(i, first, n, i == count - 1) for i, (first, n) in enumerate(plain["chunks"])),
        )


def plan_encode(media: MediaInfo, video: VideoStream, spec: JobSpec, settings: Settings) -> EncodePlan:
    """The rungs and chunks for a picture. Only a container with an index can be entered in the middle."""
    gop = max(1, round(GOP_S * video.fps))
    size = Fraction(settings.chunk_s) * video.fps if media.indexed else Fraction(video.frames)
    return EncodePlan(
        rungs=build_ladder(video.display_width, video.display_height, spec.renditions or settings.rungs),
        gop=gop,
        chunks=cut(video.frames, gop, size),
    )


def cut(frames: int, gop: int, chunk_frames: Fraction) -> tuple[Chunk, ...]:
    """Chunks of about `chunk_frames` that cover `frames`, each a whole number of groups but the last."""
    count = max(1, round(frames / chunk_frames)) if frames > CUT_ABOVE * chunk_frames else 1
    size = max(1, ceil(Fraction(frames, count * gop))) * gop
    firsts = range(0, frames, size)
    return tuple(Chunk(i, at, min(size, frames - at), last=i == len(firsts) - 1) for i, at in enumerate(firsts))


def plan_tasks(media: MediaInfo, spec: JobSpec, encode: EncodePlan | None) -> list[NewTask]:
    """The tasks for a source, each with the share of the work that it is likely to be."""
    tasks: list[NewTask] = []
    if media.audio and (encode or spec.audio or spec.transcript):
        tasks += _sound(media, spec)
    if media.video and encode:
        tasks += _picture(media.video, spec, encode, media.duration_s, [task.name for task in tasks])
    return [*tasks, NewTask(name="publish", kind="publish", needs=[task.name for task in tasks], weight=0.2)]


def _sound(media: MediaInfo, spec: JobSpec) -> list[NewTask]:
    tasks = [NewTask(name="audio", kind="audio", weight=_weight(AUDIO_COST * media.duration_s))]
    if spec.transcript:
        tasks.append(
            NewTask(
                name="transcribe",
                kind="transcribe",
                queue=TRANSCRIBE,
                needs=["audio"],
                weight=_weight(SPEECH_COST * media.duration_s),
            )
        )
    return tasks


def _picture(
    video: VideoStream, spec: JobSpec, encode: EncodePlan, duration_s: float, sound: list[str]
) -> list[NewTask]:
    pixels = DECODE_COST * video.width * video.height
    pixels += ENCODE_COST * sum(rung.width * rung.height for rung in encode.rungs)
    encodes = [
        NewTask(
            name=f"encode-{chunk.index:03d}",
            kind="encode",
            params={"chunk": chunk.index},
            weight=_weight(pixels * chunk.frames),
        )
        for chunk in encode.chunks
    ]
    # Captions go into the stream, so packaging for HLS waits for them; plain files need only the sound.
    wanted = [name for name in sound if name == "audio" or spec.hls]
    needs = [task.name for task in encodes] + wanted
    package = NewTask(name="package", kind="package", needs=needs, weight=_weight(PACKAGE_COST * duration_s))
    if not spec.thumbnails:
        return [*encodes, package]
    thumbnails = NewTask(name="thumbnails", kind="thumbnails", needs=["package"], weight=0.5)
    return [*encodes, package, thumbnails]


def _weight(cpu_s: float) -> float:
    return round(max(0.1, cpu_s), 3)
