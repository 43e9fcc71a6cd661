"""The outputs of a job as its client thinks of them: each rendition, the stream, sound, transcript and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote
from uuid import UUID

from mill_common.models import Output

API = "/api/v1"  # where clients find the interface
_NAMES = {"transcript": "transcription", "thumbnail": "thumbnails"}


@dataclass(frozen=True, kw_only=True)
class ReadyOutput:
    """One thing that was asked for. Links are paths."""

    name: str  # "360p", "hls", "audio", "transcription", "thumbnails"
    kind: str
    size: int  # bytes, of all its files
    links: dict[str, str]


def ready_outputs(job_id: UUID, outputs: Sequence[Output]) -> list[ReadyOutput]:
    """What the published `outputs` make, in the order of their names."""
    groups: dict[str, list[Output]] = {}
    for output in outputs:
        groups.setdefault(_name(output), []).append(output)
    return [
        ReadyOutput(
            name=name,
            kind=files[0].kind,
            size=sum(file.size for file in files),
            links={key: url for file in files for key, url in _links(job_id, file).items()},
        )
        for name, files in groups.items()
    ]


def job_path(job_id: UUID) -> str:
    """Where a job is looked at."""
    return f"{API}/jobs/{job_id}"


def _name(output: Output) -> str:
    if output.kind == "rendition":
        return PurePosixPath(output.name).stem
    return _NAMES.get(output.kind, output.kind)


def _links(job_id: UUID, output: Output) -> dict[str, str]:
    path = PurePosixPath(output.name)
    download = f"{job_path(job_id)}/download/{quote(output.name)}"
    if output.name.endswith("/"):
        return {"job": job_path(job_id)}  # a stream's URLs are signed and expire: they are asked for
    if output.kind == "transcript":
        return {path.suffix.lstrip("."): download}
    if output.kind == "thumbnail":
        return {"poster": download} if path.stem == "poster" else {}
    return {"download": download}
