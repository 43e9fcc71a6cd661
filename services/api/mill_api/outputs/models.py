"""What is shown of each kind of output."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, computed_field

from mill_api.fields import Time

OutputStatus = Literal["ready", "pending", "skipped", "failed", "cancelled"]
Reason = Literal["not_requested", "pending", "no_video", "no_audio", "above_source", "failed", "cancelled"]


class Made(BaseModel):
    """Whether an output can be had, and if not, why."""

    available: bool
    reason: Reason | None
    expires_at: Time | None = Field(default=None, description="When the signed URLs given here end.")

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated properties
    @property
    def status(self) -> OutputStatus:
        """`skipped` is what was not asked for, or what the source cannot give."""
        return "ready" if self.reason is None else status_of(self.reason)


def status_of(reason: Reason) -> OutputStatus:
    """How an output stands that is missing for a reason."""
    return reason if reason in ("pending", "failed", "cancelled") else "skipped"


class FileFacts(BaseModel):
    """One file of an output."""

    size_bytes: int
    sha256: str
    download_url: str = Field(description="Takes a key.")
    url: str = Field(description="Signed; takes no key.")


class RenditionView(Made):
    """The video at one size."""

    width: int | None = None
    height: int | None = None
    size_bytes: int | None = None
    compression_ratio: float | None = Field(default=None, description="Bytes of the source over bytes of this.")
    sha256: str | None = None
    download_url: str | None = None
    url: str | None = Field(default=None, description="Signed; takes no key.")


class AudioView(Made):
    """The sound: the first of its files, and where each is."""

    formats: dict[str, str | None] = Field(default_factory=dict, description="Download URLs of those asked for.")
    size_bytes: int | None = None
    compression_ratio: float | None = Field(default=None, description="Bytes of the source over bytes of this.")
    sha256: str | None = None
    download_url: str | None = None
    url: str | None = Field(default=None, description="Signed; takes no key.")


class TranscriptionView(Made):
    """What is said. `language` is null where nobody speaks."""

    language: str | None = None
    word_count: int | None = None
    whisper_model: str | None = None
    formats: dict[str, str | None] = Field(description="Where each is downloaded with a key.")
    files: dict[str, FileFacts] = Field(default_factory=dict, description="Each format that there is.")


class StreamView(BaseModel):
    """The stream at one size."""

    available: bool
    segments_count: int | None
    playlist_url: str | None


class HlsView(Made):
    """The stream. Its URLs are signed and expire; no key is needed for them."""

    size_bytes: int | None = None
    master_url: str | None = None
    renditions: dict[str, StreamView]


class ThumbnailsView(Made):
    """A poster, sheets of small pictures and the index that says which is when."""

    size_bytes: int | None = None
    poster_url: str | None = None
    posters: list[str] = Field(default_factory=list, description="Every picture asked for; the poster is the first.")
    sprites: list[str]
    index_url: str | None = None


class OutputsView(BaseModel):
    """Everything that a job makes."""

    renditions: dict[str, RenditionView]
    audio: AudioView
    transcription: TranscriptionView
    hls: HlsView
    thumbnails: ThumbnailsView
