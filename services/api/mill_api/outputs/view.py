"""A job's outputs as its owner sees them: what there is, what is to come, and why the rest is missing.

Built as what the models of `output_models` would be written as: see `job_view`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

from mill_api.fields import rfc3339
from mill_api.jobs.rows import JobRow, OutputRow
from mill_api.links import API, public
from mill_api.outputs.models import Reason, status_of
from mill_api.outputs.published import ALIASES, RENDITION
from mill_api.outputs.tokens import make_token
from mill_api.resources import resources, signer
from mill_common.spec import JobSpec
from mill_common.states import JobStatus
from mill_common.storage.base import LINK_MAX_S

FORMATS = ("txt", "srt", "vtt", "json")
_quoted = lru_cache(1024)(quote)  # the names of outputs, of which there are few
Shown = dict[str, Any]


def outputs_view(request: Request, job: JobRow, spec: JobSpec, outputs: list[OutputRow]) -> Shown:
    """The outputs of a job; `outputs` are the published ones."""
    return _OutputsOf(request, job, spec, outputs).view()


class _OutputsOf:
    def __init__(self, request: Request, job: JobRow, spec: JobSpec, outputs: list[OutputRow]) -> None:
        wired = resources(request)
        self.settings = wired.settings
        self.store = wired.store
        self.now = datetime.now(UTC)  # of this machine, as signatures go by it
        self.expires_s = min(self.settings.link_expires_s, LINK_MAX_S)
        self.expires_at = rfc3339(self.now + timedelta(seconds=self.expires_s))
        self.downloads = public(self.settings, f"{API}/jobs/{job.id}/download/")
        self.signer = signer(request)
        self.job = job
        self.named = {output.name: output for output in outputs}
        self.spec = spec
        self.media: dict[str, Any] = job.media or {}

    def view(self) -> Shown:
        return {
            "renditions": self._renditions(),
            "audio": self._audio(),
            "transcription": self._transcription(),
            "hls": self._hls(),
            "thumbnails": self._thumbnails(),
        }

    def _renditions(self) -> Shown:
        made = {match[1]: output for name, output in self.named.items() if (match := RENDITION.fullmatch(name))}
        asked = [f"{rung}p" for rung in self.spec.renditions or self.settings.rungs]
        names = sorted({*asked, *made}, key=lambda name: int(name[:-1]))
        return {name: self._rendition(name, made.get(name)) for name in names}

    def _rendition(self, name: str, output: OutputRow | None) -> Shown:
        if output is None:
            return _NO_RENDITION | _missing(self._why_not(needs="video") or "above_source")
        return {
            **self._ready,
            "width": output.facts.get("width"),
            "height": output.facts.get("height"),
            **self._file_of(output, name),
        }

    def _audio(self) -> Shown:
        asked = self.spec.audio.formats if self.spec.audio else ()
        made = [self.named[name] for kind in asked if (name := f"audio.{kind}") in self.named]
        output = self.named.get(ALIASES["audio"]) or (made[0] if made else None)
        if output is None:
            return _NO_AUDIO | self._missing(self.spec.audio is not None, "audio")
        names = {output.name for output in made}
        formats = {kind: self._download(f"audio.{kind}") if f"audio.{kind}" in names else None for kind in asked}
        alias = "audio" if output.name == ALIASES["audio"] else output.name
        return {**self._ready, "formats": formats, **self._file_of(output, alias)}

    def _transcription(self) -> Shown:
        made = {kind: self.named[f"transcript.{kind}"] for kind in FORMATS if f"transcript.{kind}" in self.named}
        formats = {kind: self._download(f"transcript_{kind}") if kind in made else None for kind in FORMATS}
        if not made:
            missing = self._missing(self.spec.transcript is not None, "audio")
            return _NO_TRANSCRIPTION | {"formats": formats} | missing
        facts = self.job.transcript or {}
        return {
            **self._ready,
            "language": facts.get("language"),
            "word_count": facts.get("word_count"),
            "whisper_model": facts.get("model"),
            "formats": formats,
            "files": {kind: self._file(output, f"transcript_{kind}") for kind, output in made.items()},
        }

    def _file(self, output: OutputRow, alias: str) -> Shown:
        return {
            "size_bytes": output.size,
            "sha256": output.sha256,
            "download_url": self._download(alias),
            "url": self._signed(output),
        }

    def _hls(self) -> Shown:
        output = self.named.get("hls/")
        if output is None or not output.has_master:
            return _NO_HLS | self._missing(self.spec.hls, "video")
        # Whoever begins to play in time may play to the end.
        lasts_s = self.settings.link_expires_s + int(self.media.get("duration_s") or 0)
        token = make_token(self.signer, self.job.id, lasts_s)
        base = public(self.settings, f"/stream/{self.job.id}/{token}/")
        renditions = {
            name: {
                "available": True,
                "segments_count": facts.get("segments"),
                "playlist_url": base + facts["playlist"],
            }
            for name, facts in output.facts.get("renditions", {}).items()
        }
        return {
            **self._ready,
            "expires_at": rfc3339(self.now + timedelta(seconds=lasts_s)),
            "size_bytes": output.size,
            "master_url": base + "master.m3u8",
            "renditions": renditions,
        }

    def _thumbnails(self) -> Shown:
        poster = ALIASES["poster"]
        if poster not in self.named:
            return _NO_THUMBNAILS | self._missing(self.spec.thumbnails is not None, "video")
        posters = [name for name in sorted(self.named) if name.startswith("thumbnails/poster-")]
        sprites = [name for name in self.named if name.startswith("thumbnails/sprite-")]
        index = "thumbnails/thumbnails.vtt"
        return {
            **self._ready,
            "expires_at": None,  # nothing of it is signed
            "size_bytes": sum(output.size for name, output in self.named.items() if name.startswith("thumbnails/")),
            "poster_url": self._download(poster),
            "posters": [self._download(name) for name in (poster, *posters)],
            "sprites": [self._download(name) for name in sprites],
            "index_url": self._download(index) if index in self.named else None,
        }

    @property
    def _ready(self) -> Shown:
        return {"available": True, "reason": None, "expires_at": self.expires_at, "status": "ready"}

    def _missing(self, asked: bool, needs: str) -> Shown:
        return _missing((self._why_not(needs=needs) or "failed") if asked else "not_requested")

    def _why_not(self, *, needs: str) -> Reason | None:
        if self.media and self.media.get(needs) is None:
            return "no_video" if needs == "video" else "no_audio"
        if self.job.status == JobStatus.CANCELLED:
            return "cancelled"
        if self.job.status == JobStatus.FAILED:
            return "failed"
        return None if self.job.status == JobStatus.COMPLETED else "pending"

    def _file_of(self, output: OutputRow, alias: str) -> Shown:
        return {"compression_ratio": self._ratio(output), **self._file(output, alias)}

    def _signed(self, output: OutputRow) -> str:
        return public(self.settings, self.store.presign_get(output.object_key, expires_s=self.expires_s))

    def _ratio(self, output: OutputRow) -> float | None:
        return round(self.job.source_size / output.size, 2) if self.job.source_size and output.size else None

    def _download(self, name: str) -> str:
        return self.downloads + _quoted(name)


def _missing(reason: Reason) -> Shown:
    return {"available": False, "reason": reason, "status": status_of(reason)}


# What is shown of outputs that are not there.
_NOTHING: Mapping[str, None] = {"expires_at": None, "size_bytes": None}
_NO_FILE = {**_NOTHING, **dict.fromkeys(("compression_ratio", "sha256", "download_url", "url"))}
_NO_RENDITION: Shown = {**_NO_FILE, "width": None, "height": None}
_NO_AUDIO: Shown = {**_NO_FILE, "formats": {}}
_NO_TRANSCRIPTION: Shown = {
    **dict.fromkeys(("expires_at", "language", "word_count", "whisper_model")),
    "files": {},
}
_NO_HLS: Shown = {**_NOTHING, "master_url": None, "renditions": {}}
_NO_THUMBNAILS: Shown = {**_NOTHING, "poster_url": None, "posters": [], "sprites": [], "index_url": None}
