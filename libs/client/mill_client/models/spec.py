"""What to ask of a job. Only what was set is sent, so the server's defaults stay its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from .jobs import JobStatus


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)


class AudioSpec(_Asked):
    """Which sound files to make."""

    formats: Sequence[Literal["mp3", "m4a", "opus", "wav"]] = ("mp3",)
    bitrate_kbps: int = 128


class ThumbnailsSpec(_Asked):
    """Pictures at `times`, in seconds, or `count` of them; sprites every `interval_s` seconds."""

    times: Sequence[float] | None = None
    count: int | None = None
    sprites: bool = True
    interval_s: float | None = None


class TranscriptSpec(_Asked):
    """How to transcribe. `language` is an ISO 639 code; detected if None. `translate` is to English."""

    language: str | None = None
    task: Literal["transcribe", "translate"] = "transcribe"
    formats: Sequence[Literal["txt", "srt", "vtt", "json"]] = ("txt", "srt", "vtt", "json")
    words: bool = True


class JobSpec(_Asked):
    """The outputs to make. `renditions` are short sides in pixels; None or False asks for none of a kind."""

    renditions: Sequence[int] | None = None
    hls: bool = True
    audio: AudioSpec | bool | None = True
    thumbnails: ThumbnailsSpec | bool | None = True
    transcript: TranscriptSpec | bool | None = TranscriptSpec()


class JobSource(_Asked):
    """Where one of several videos is: exactly one of the three."""

    upload_id: str | None = None
    url: str | None = None
    object_key: str | None = None


class JobWebhook(_Asked):
    """A URL to be told of one job. Without a `secret` the server makes one, and tells it with the job."""

    url: str
    events: Sequence[str] = ("job.completed", "job.failed")
    payload: Literal["small", "full"] = "small"
    secret: str | None = Field(default=None, repr=False)


class JobFilter(TypedDict, total=False):
    """Which jobs to list, and in which order. Dates as text are RFC 3339; `metadata` is `name=value` or `name`."""

    status: JobStatus | str | Sequence[JobStatus | str] | None
    priority: int | Sequence[int] | None
    from_date: datetime | str | None
    to_date: datetime | str | None
    search: str | None
    collection: str | Sequence[str] | None
    metadata: str | Sequence[str] | None
    page: int | None
    per_page: int | None
    sort_by: str | None
    sort_order: str | None
    cursor: str | None
