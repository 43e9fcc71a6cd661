"""What to ask of a job. Only what was set is sent, so the server's defaults stay its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from pydantic import BaseModel, ConfigDict

from .jobs import JobStatus


class TranscriptSpec(BaseModel):
    """How to transcribe. `language` is an ISO 639 code; detected if None."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    language: str | None = None


class JobSpec(BaseModel):
    """The outputs to make. `renditions` are short sides in pixels; `transcript=None` asks for none."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)

    renditions: Sequence[int] | None = None
    hls: bool = True
    audio: bool = True
    thumbnails: bool = True
    transcript: TranscriptSpec | None = TranscriptSpec()


class JobFilter(TypedDict, total=False):
    """Which jobs to list, and in which order. Dates are RFC 3339."""

    status: JobStatus | str | None
    priority: int | None
    from_date: str | None
    to_date: str | None
    search: str | None
    page: int | None
    per_page: int | None
    sort_by: str | None
    sort_order: str | None
    cursor: str | None
