"""A job's outputs as its owner sees them: what there is, what is to come, and why the rest is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request

from mill_api.links import path, public
from mill_api.outputs.models import (
    AudioView,
    FileFacts,
    HlsView,
    OutputsView,
    Reason,
    RenditionView,
    StreamView,
    ThumbnailsView,
    TranscriptionView,
)
from mill_api.outputs.published import ALIASES, renditions_of
from mill_api.outputs.tokens import make_token
from mill_api.resources import resources, signer
from mill_common.models import Job, Output
from mill_common.spec import JobSpec
from mill_common.states import JobStatus
from mill_common.storage.base import LINK_MAX_S

FORMATS = ("txt", "srt", "vtt", "json")


def outputs_view(request: Request, job: Job, spec: JobSpec, outputs: list[Output]) -> OutputsView:
    """The outputs of a job; `outputs` are the published ones."""
    return _OutputsOf(request, job, spec, outputs).view()


class _OutputsOf:
    def __init__(self, request: Request, job: Job, spec: JobSpec, outputs: list[Output]) -> None:
        self.settings = resources(request).settings
        self.store = resources(request).store
        self.now = datetime.now(UTC)  # of this machine, as signatures go by it
        self.expires_s = min(self.settings.link_expires_s, LINK_MAX_S)
        self.expires_at = self.now + timedelta(seconds=self.expires_s)
        self.signer = signer(request)
        self.job = job
        self.outputs = outputs
        self.named = {output.name: output for output in outputs}
        self.spec = spec
        self.media: dict[str, Any] = job.media or {}

    def view(self) -> OutputsView:
        return OutputsView(
            renditions=self._renditions(),
            audio=self._audio(),
            transcription=self._transcription(),
            hls=self._hls(),
            thumbnails=self._thumbnails(),
        )

    def _renditions(self) -> dict[str, RenditionView]:
        made = renditions_of(self.outputs)
        asked = [f"{rung}p" for rung in self.spec.renditions or self.settings.rungs]
        names = sorted({*asked, *made}, key=lambda name: int(name[:-1]))
        return {name: self._rendition(name, made.get(name)) for name in names}

    def _rendition(self, name: str, output: Output | None) -> RenditionView:
        if output is None:
            return RenditionView(available=False, reason=self._why_not(needs="video") or "above_source")
        return RenditionView(
            available=True,
            reason=None,
            width=output.facts.get("width"),
            height=output.facts.get("height"),
            size_bytes=output.size,
            compression_ratio=self._ratio(output),
            **self._links(output, name),
        )

    def _audio(self) -> AudioView:
        asked = self.spec.audio.formats if self.spec.audio else ()
        made = [self.named[name] for kind in asked if (name := f"audio.{kind}") in self.named]
        output = self.named.get(ALIASES["audio"]) or (made[0] if made else None)
        if output is None:
            return AudioView(**self._missing(self.spec.audio is not None, "audio"))
        names = {output.name for output in made}
        formats: dict[str, str | None] = {
            kind: self._download(f"audio.{kind}") if f"audio.{kind}" in names else None for kind in asked
        }
        return AudioView(
            available=True,
            reason=None,
            formats=formats,
            size_bytes=output.size,
            compression_ratio=self._ratio(output),
            **self._links(output, "audio" if output.name == ALIASES["audio"] else output.name),
        )

    def _transcription(self) -> TranscriptionView:
        formats = {
            kind: self._download(f"transcript_{kind}") if f"transcript.{kind}" in self.named else None
            for kind in FORMATS
        }
        if not any(formats.values()):
            return TranscriptionView(**self._missing(self.spec.transcript is not None, "audio"), formats=formats)
        facts = self.job.transcript or {}
        return TranscriptionView(
            available=True,
            reason=None,
            language=facts.get("language"),
            word_count=facts.get("word_count"),
            whisper_model=facts.get("model"),
            formats=formats,
            files={
                kind: self._file(f"transcript.{kind}", f"transcript_{kind}") for kind, url in formats.items() if url
            },
            expires_at=self.expires_at,
        )

    def _file(self, name: str, alias: str) -> FileFacts:
        output = self.named[name]
        return FileFacts(
            size_bytes=output.size, sha256=output.sha256, download_url=self._download(alias), url=self._signed(output)
        )

    def _hls(self) -> HlsView:
        output = self.named.get("hls/")
        if output is None or "master.m3u8" not in output.files:
            return HlsView(**self._missing(self.spec.hls, "video"), renditions={})
        # Whoever begins to play in time may play to the end.
        lasts_s = self.settings.link_expires_s + int(self.media.get("duration_s") or 0)
        token = make_token(self.signer, self.job.id, lasts_s)
        base = public(self.settings, f"/stream/{self.job.id}/{token}/")
        renditions = {
            name: StreamView(
                available=True, segments_count=facts.get("segments"), playlist_url=base + facts["playlist"]
            )
            for name, facts in output.facts.get("renditions", {}).items()
        }
        return HlsView(
            available=True,
            reason=None,
            expires_at=self.now + timedelta(seconds=lasts_s),
            size_bytes=output.size,
            master_url=base + "master.m3u8",
            renditions=renditions,
        )

    def _thumbnails(self) -> ThumbnailsView:
        poster = ALIASES["poster"]
        if poster not in self.named:
            return ThumbnailsView(**self._missing(self.spec.thumbnails is not None, "video"), sprites=[])
        posters = [name for name in sorted(self.named) if name.startswith("thumbnails/poster-")]
        sprites = [name for name in self.named if name.startswith("thumbnails/sprite-")]
        index = "thumbnails/thumbnails.vtt"
        return ThumbnailsView(
            available=True,
            reason=None,
            size_bytes=sum(output.size for name, output in self.named.items() if name.startswith("thumbnails/")),
            poster_url=self._download(poster),
            posters=[self._download(name) for name in (poster, *posters)],
            sprites=[self._download(name) for name in sprites],
            index_url=self._download(index) if index in self.named else None,
        )

    def _missing(self, asked: bool, needs: str) -> dict[str, Any]:
        reason = (self._why_not(needs=needs) or "failed") if asked else "not_requested"
        return {"available": False, "reason": reason}

    def _why_not(self, *, needs: str) -> Reason | None:
        if self.media and self.media.get(needs) is None:
            return "no_video" if needs == "video" else "no_audio"
        if self.job.status is JobStatus.CANCELLED:
            return "cancelled"
        if self.job.status is JobStatus.FAILED:
            return "failed"
        return None if self.job.status is JobStatus.COMPLETED else "pending"

    def _links(self, output: Output, name: str) -> dict[str, Any]:
        return {
            "sha256": output.sha256,
            "download_url": self._download(name),
            "url": self._signed(output),
            "expires_at": self.expires_at,
        }

    def _signed(self, output: Output) -> str:
        return public(self.settings, self.store.presign_get(output.object_key, expires_s=self.expires_s))

    def _ratio(self, output: Output) -> float | None:
        return round(self.job.source_size / output.size, 2) if self.job.source_size and output.size else None

    def _download(self, name: str) -> str:
        return public(self.settings, path("jobs", self.job.id, "download", name))
