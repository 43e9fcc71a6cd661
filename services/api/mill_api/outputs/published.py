"""A job's published outputs, file by file."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlmodel import Session, col

from mill_common.models import Output
from mill_common.prepared import Prepared
from mill_common.storage.keys import type_by_suffix

RENDITION = re.compile(r"([0-9]+p)\.mp4")
ALIASES = {
    "audio": "audio.mp3",
    "transcript_txt": "transcript.txt",
    "transcript_srt": "transcript.srt",
    "transcript_vtt": "transcript.vtt",
    "transcript_json": "transcript.json",
    "poster": "thumbnails/poster.jpg",
}


# Plain rows: objects that could be written again take several times as long to make.
_COLUMNS: tuple[Any, ...] = (
    *map(col, (Output.name, Output.kind, Output.object_key, Output.size, Output.sha256, Output.content_type)),
    *map(col, (Output.facts, Output.files, Output.published_at)),
)
_PUBLISHED = Prepared(
    "published_of_job",
    select(*_COLUMNS)
    .where(col(Output.job_id) == bindparam("job_id"), col(Output.published_at).is_not(None), ~col(Output.intermediate))
    .order_by(col(Output.name)),
)


@dataclass(frozen=True, kw_only=True)
class PublishedFile:
    """One file that clients may read."""

    name: str
    kind: str
    object_key: str
    size: int  # bytes
    content_type: str
    sha256: str | None  # hexadecimal; only the whole of a tree has one
    etag: str
    published_at: datetime


def published_outputs(session: Session, job_id: UUID) -> list[Output]:
    """The outputs that clients may see, by name."""
    return cast(list[Output], _PUBLISHED.rows(session.connection(), {"job_id": job_id}))


def files_of(outputs: Sequence[Output]) -> Iterator[PublishedFile]:
    """Every file, those of trees included."""
    for output in outputs:
        if not output.name.endswith("/"):
            yield _file(output)
        for name, size in sorted(output.files.items()):
            yield _tree_file(output, name, size)


def find_file(outputs: Sequence[Output], name: str) -> PublishedFile | None:
    """The file of that name or alias; None if there is none."""
    wanted = name_of(name)
    for output in outputs:
        if output.name == wanted and not output.files:
            return _file(output)
        inner = wanted.removeprefix(output.name)
        if output.name.endswith("/") and inner != wanted and inner in output.files:
            return _tree_file(output, inner, output.files[inner])
    return None


def name_of(alias: str) -> str:
    """The file name that an alias stands for; any other name stands for itself."""
    if re.fullmatch(r"[0-9]{1,5}p", alias):
        return f"{alias}.mp4"
    return ALIASES.get(alias, alias)


def _file(output: Output) -> PublishedFile:
    return PublishedFile(
        name=output.name,
        kind=output.kind,
        object_key=output.object_key,
        size=output.size,
        content_type=output.content_type,
        sha256=output.sha256,
        etag=f'"{output.sha256}"',
        published_at=_when(output),
    )


def _tree_file(output: Output, name: str, size: int) -> PublishedFile:
    # The tree's own digest covers every file, so with the name it stands for this one's bytes.
    tag = hashlib.sha256(f"{output.sha256}/{name}".encode()).hexdigest()[:40]
    return PublishedFile(
        name=output.name + name,
        kind=output.kind,
        object_key=output.object_key + name,
        size=size,
        content_type=stream_type(name),
        sha256=None,
        etag=f'"{tag}"',
        published_at=_when(output),
    )


def stream_type(name: str) -> str:
    """The content type of a stream's file."""
    # Players expect fragments of MP4 under MP4's own type.
    return "video/mp4" if name.endswith(".m4s") else type_by_suffix(name)


def _when(output: Output) -> datetime:
    assert output.published_at is not None
    return output.published_at
