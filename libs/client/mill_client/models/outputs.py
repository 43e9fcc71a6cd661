"""What a job makes."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from .base import Model


class Made(Model):
    """One kind of output. Where it is not available, `reason` says why."""

    available: bool = False
    status: str | None = None
    reason: str | None = None
    expires_at: datetime | None = None


class Rendition(Made):
    """The video at one size."""

    width: int | None = None
    height: int | None = None
    size_bytes: int | None = None
    compression_ratio: float | None = None
    sha256: str | None = None
    download_url: str | None = None
    url: str | None = None


class Audio(Made):
    """The sound alone."""

    size_bytes: int | None = None
    compression_ratio: float | None = None
    sha256: str | None = None
    download_url: str | None = None
    url: str | None = None
    formats: dict[str, str | None] = Field(default_factory=dict)


class Transcription(Made):
    """What is said; `language` is None where nobody speaks."""

    language: str | None = None
    word_count: int | None = None
    whisper_model: str | None = None
    formats: dict[str, str | None] = Field(default_factory=dict)


class Hls(Made):
    """The stream; `master_url` is signed and expires."""

    master_url: str | None = None
    renditions: dict[str, dict[str, Any]] = Field(default_factory=dict)


class Thumbnails(Made):
    """The pictures."""

    poster_url: str | None = None
    posters: list[str] = Field(default_factory=list)
    sprites: Any = None
    index_url: str | None = None


class Outputs(Model):
    """Everything that a job makes."""

    renditions: dict[str, Rendition] = Field(default_factory=dict)
    audio: Audio = Audio()
    transcription: Transcription = Transcription()
    hls: Hls = Hls()
    thumbnails: Thumbnails = Thumbnails()


class OutputFile(Model):
    """One file that a job made. `size` is bytes; `url` is signed and expires."""

    name: str
    kind: str | None = None
    size: int | None = None
    content_type: str | None = None
    sha256: str | None = None
    url: str | None = None


class Downloaded(Model):
    """A file on this machine's disk; `present` if it was there before and matched."""

    name: str
    path: Path
    size: int
    sha256: str
    outcome: Literal["downloaded", "present"]
