"""What a client may ask of a job."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Rung = Annotated[int, Field(ge=144, le=2160, description="Short side of a rendition in pixels.")]


class TranscriptSpec(BaseModel):
    """How to transcribe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str | None = Field(
        default=None,
        pattern=r"^[a-z]{2,3}$",
        description="ISO 639 code of the language spoken; detected if absent.",
    )


class JobSpec(BaseModel):
    """The outputs that a job makes. The defaults make all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    renditions: tuple[Rung, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=8,
        description="Short sides of the renditions; the server's ladder if absent. Never above the source.",
    )
    hls: bool = True
    audio: bool = True
    thumbnails: bool = True
    transcript: TranscriptSpec | None = Field(
        default_factory=TranscriptSpec, description="null asks for no transcript."
    )
