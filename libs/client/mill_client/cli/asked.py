"""The spec of a job from the command line. Only what was asked for is sent: the server's defaults stay its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import typer
from pydantic import ValidationError

from ..models import JobSpec

_FIELDS = {"audio", "thumbnails", "transcript", "formats", "task"}


@dataclass(frozen=True)
class Wishes:
    """What the options of `mill submit` say of the outputs. None means: as by default."""

    renditions: list[int] | None
    hls: bool
    audio: bool
    audio_format: list[str] | None
    audio_bitrate: int | None
    thumbnails: bool
    thumbnail_at: list[float] | None
    thumbnail_count: int | None
    sprites: bool
    transcript: bool
    language: str | None
    task: str | None
    transcript_format: list[str] | None
    words: bool

    def spec(self) -> JobSpec | None:
        """The spec, or None if everything is as by default.

        Raises:
            typer.BadParameter: Options contradict each other.
        """
        asked: dict[str, Any] = {} if self.hls else {"hls": False}
        if not all(map(math.isfinite, self.thumbnail_at or ())):
            raise typer.BadParameter("--thumbnail-at takes seconds")
        if self.renditions:
            asked["renditions"] = self.renditions
        asked |= _kind("audio", self.audio, {"formats": self.audio_format, "bitrate_kbps": self.audio_bitrate})
        asked |= _kind("thumbnails", self.thumbnails, self._pictures())
        asked |= _kind("transcript", self.transcript, self._speech(), off=None)
        try:
            return JobSpec.model_validate(asked) if asked else None
        except ValidationError as error:
            told = error.errors()[0]
            where = ".".join(str(part) for part in told["loc"] if str(part) in _FIELDS)
            raise typer.BadParameter(f"{where}: {told['msg']}") from error

    def _pictures(self) -> dict[str, Any]:
        return {
            "times": self.thumbnail_at,
            "count": self.thumbnail_count,
            "sprites": None if self.sprites else False,
        }

    def _speech(self) -> dict[str, Any]:
        return {
            "language": self.language,
            "task": self.task,
            "formats": self.transcript_format,
            "words": None if self.words else False,
        }


def _kind(name: str, wanted: bool, fields: Mapping[str, Any], off: bool | None = False) -> dict[str, Any]:
    said = {field: value for field, value in fields.items() if value not in (None, [])}
    if said and not wanted:
        raise typer.BadParameter(f"--no-{name} and options about it exclude each other")
    if not wanted:
        return {name: off}
    return {name: said} if said else {}


def read_metadata(pairs: Sequence[str]) -> dict[str, str]:
    """KEY=VALUE pairs as a dictionary."""
    found = dict(pair.partition("=")[::2] for pair in pairs)
    if any("=" not in pair for pair in pairs) or "" in found:
        raise typer.BadParameter("--metadata takes KEY=VALUE")
    return found


def read_deadline(text: str | None) -> datetime | float | None:
    """Seconds from now, or a time, in local time if it names no zone."""
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if math.isfinite(seconds):
        return seconds
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        raise typer.BadParameter("--deadline takes seconds from now, or a time like 2030-01-31T18:00") from None
