"""What a client may ask of a job. Left out, everything is made as it always was."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Rung = Annotated[int, Field(ge=144, le=2160, description="Short side of a rendition in pixels.")]
AudioFormat = Literal["mp3", "m4a", "opus", "wav"]
TranscriptFormat = Literal["txt", "srt", "vtt", "json"]
TRANSCRIPT_FORMATS: tuple[TranscriptFormat, ...] = ("txt", "srt", "vtt", "json")


def _unique(given: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    if given is not None and len(set(given)) < len(given):
        raise ValueError("names something twice")
    return given


Unique = AfterValidator(_unique)
# Behind a switch, JSON's arrays come as lists, which are no tuples to the strict.
FromList = BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given)
Seconds = Annotated[float, Field(ge=0, le=10**6, allow_inf_nan=False)]


class AudioSpec(BaseModel):
    """The sound as files to download."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    formats: Annotated[tuple[AudioFormat, ...], FromList, Unique] = Field(
        default=("mp3",), min_length=1, max_length=4, description="Each becomes `audio.{format}`."
    )
    bitrate_kbps: int = Field(default=128, ge=32, le=320, description="Of MP3, AAC (m4a) and Opus; of no use to WAV.")


class ThumbnailsSpec(BaseModel):
    """Still pictures. Without times or a count, one poster from a tenth of the way through."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    times: Annotated[tuple[Seconds, ...], FromList, Unique] | None = Field(
        default=None,
        min_length=1,
        max_length=20,
        description="Seconds; a picture each. A time after the end gives the last picture.",
    )
    count: int | None = Field(default=None, ge=1, le=20, description="So many pictures, evenly spread.")
    sprites: bool = Field(default=True, description="Sheets of small pictures with an index, for seeking.")
    interval_s: float | None = Field(
        default=None,
        ge=2,
        le=600,
        allow_inf_nan=False,
        description="Seconds between pictures on sheets, rounded to whole groups of two; chosen by length if absent.",
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.times is not None and self.count is not None:
            raise ValueError("give times or a count, not both")
        if self.interval_s is not None and not self.sprites:
            raise ValueError("an interval is of no use without sprites")
        return self


class TranscriptSpec(BaseModel):
    """How to transcribe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str | None = Field(
        default=None,
        pattern=r"^[a-z]{2,3}$",
        description="ISO 639 code of the language spoken; detected if absent.",
    )
    task: Literal["transcribe", "translate"] = Field(
        default="transcribe", description="`translate` writes English whatever is spoken."
    )
    formats: Annotated[tuple[TranscriptFormat, ...], FromList, Unique] = Field(
        default=TRANSCRIPT_FORMATS, min_length=1, max_length=4, description="Each becomes `transcript.{format}`."
    )
    words: bool = Field(default=True, description="Whether the JSON has the time of every word.")


def _switch(spec: Callable[[], BaseModel], given: Any) -> Any:
    return spec() if given is True else None if given is False else given


def _switched(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [*schema["anyOf"], {"type": "boolean"}]


class JobSpec(BaseModel):
    """The outputs that a job makes. The defaults make all of them.

    `true` stands for an object of defaults, `false` for null.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    renditions: Annotated[tuple[Rung, ...], Unique] | None = Field(
        default=None,
        min_length=1,
        max_length=8,
        description="Short sides of the renditions; the server's ladder if absent. Never above the source.",
    )
    hls: bool = True
    audio: Annotated[AudioSpec | None, BeforeValidator(partial(_switch, AudioSpec))] = Field(
        default_factory=AudioSpec, description="null asks for no audio files.", json_schema_extra=_switched
    )
    thumbnails: Annotated[ThumbnailsSpec | None, BeforeValidator(partial(_switch, ThumbnailsSpec))] = Field(
        default_factory=ThumbnailsSpec, description="null asks for no pictures.", json_schema_extra=_switched
    )
    transcript: Annotated[TranscriptSpec | None, BeforeValidator(partial(_switch, TranscriptSpec))] = Field(
        default_factory=TranscriptSpec, description="null asks for no transcript.", json_schema_extra=_switched
    )
