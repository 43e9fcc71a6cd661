"""What is known of a source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Self

INDEXED = frozenset({"mov", "matroska", "avi", "asf"})
HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})


@dataclass(frozen=True, kw_only=True)
class VideoStream:
    """The picture. Times are seconds on the file's own clock."""

    index: int
    codec: str
    width: int  # as stored
    height: int
    display_width: int  # after rotation and with square pixels
    display_height: int
    rotation: int  # degrees, 0 to 359
    sample_aspect: str  # "1:1"
    pixel_format: str
    rate: str  # frames per second to encode at, at most 60: "30000/1001"
    source_rate: float | None  # average frames per second, if the file says so
    variable_rate: bool
    interlaced: bool
    transfer: str | None  # "smpte2084"
    primaries: str | None
    matrix: str | None
    start_s: float
    end_s: float

    @property
    def fps(self) -> Fraction:
        """Frames per second of every rendition, exactly."""
        return Fraction(self.rate)

    @property
    def hdr(self) -> bool:
        """Whether the picture must be mapped to the standard range."""
        return self.transfer in HDR_TRANSFERS

    @property
    def first_frame(self) -> int:
        """The picture's first frame, counted at `fps` from zero of the file's clock."""
        return round(Fraction(self.start_s) * self.fps)

    @property
    def frames(self) -> int:
        """How many frames there are at `fps`."""
        return max(1, round(Fraction(self.end_s) * self.fps) - self.first_frame)


@dataclass(frozen=True, kw_only=True)
class AudioStream:
    """The sound that is used. Times are seconds on the file's own clock."""

    index: int
    codec: str
    channels: int
    sample_rate: int  # Hz
    language: str | None
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class MediaInfo:
    """A source's facts, as kept with its job."""

    container: str
    start_s: float  # where the file's clock begins
    duration_s: float  # of the picture, or of the sound if there is none
    bit_rate: int | None  # bits per second
    audio_streams: int
    video: VideoStream | None
    audio: AudioStream | None

    def to_json(self) -> dict[str, Any]:
        """Plain values, with what a reader would otherwise compute: the display size and codecs at the top."""
        plain = asdict(self)
        if self.video:
            plain |= {"width": self.video.display_width, "height": self.video.display_height}
            plain["video"] |= {"hdr": self.video.hdr, "fps": round(float(self.video.fps), 3)}
        plain["codec"] = self.video.codec if self.video else self.audio.codec if self.audio else None
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Self:
        """What `to_json` gave."""
        video, audio = plain["video"], plain["audio"]
        return cls(
            container=plain["container"],
            start_s=plain["start_s"],
            duration_s=plain["duration_s"],
            bit_rate=plain["bit_rate"],
            audio_streams=plain["audio_streams"],
            video=VideoStream(**{k: v for k, v in video.items() if k not in {"hdr", "fps"}}) if video else None,
            audio=AudioStream(**audio) if audio else None,
        )

    @property
    def indexed(self) -> bool:
        """Whether a reader can go straight to any time.

        Without an index it may land behind the key frame that it needs. Such containers may also begin to count
        their time anew in the middle, which ffmpeg mends only as long as it need not keep the file's clock.
        """
        return self.container in INDEXED

    @property
    def picture_start_s(self) -> float:
        """Where the outputs begin on the file's clock: with the picture, or else where the file does."""
        return self.video.start_s if self.video else self.start_s
