"""Object storage behind one interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol


@dataclass(frozen=True)
class ObjectStat:
    """What is known of an object without reading it."""

    key: str
    size: int  # bytes
    modified_at: datetime  # UTC
    content_type: str


@dataclass(frozen=True)
class UploadPart:
    """One part of a multipart upload, as the server acknowledged it."""

    number: int  # from 1
    etag: str


class ObjectStore(Protocol):
    """Keys are relative POSIX paths without `.`, `..`, empty or leading-slash segments; others raise ValueError.

    An object becomes visible whole or not at all. Missing objects raise `SourceMissing`; a server that does not
    answer, a full disk or a broken transfer raises `StorageUnavailable`.
    """

    def put(self, key: str, stream: BinaryIO, *, size: int | None, content_type: str) -> ObjectStat:
        """Store what `stream` holds; `size` in bytes if known. Memory use does not grow with the object."""

    def put_file(self, key: str, path: Path, *, content_type: str) -> ObjectStat:
        """Store a local file. The file may be linked, so nobody may write to it afterwards."""

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The object's bytes in blocks, from `start`, at most `length` bytes."""

    def fetch(self, key: str, path: Path) -> Path:
        """A local, readable file with the object's bytes: `path`, or the store's own copy (never to be written)."""

    def stat(self, key: str) -> ObjectStat:
        """Size, time and type."""

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """Every object whose key starts with `prefix`, in key order."""

    def delete(self, keys: Sequence[str]) -> int:
        """Remove objects; keys that are not there are ignored. Returns how many were asked for."""

    def presign_get(self, key: str, *, expires_s: int, filename: str | None = None) -> str:
        """A URL that serves the object with Range until it expires; `filename` sets Content-Disposition."""

    def presign_put(self, key: str, *, expires_s: int) -> str:
        """A URL that takes one PUT with the object's bytes."""

    def start_multipart(self, key: str, *, content_type: str) -> str:
        """Begin a multipart upload; returns its id."""

    def presign_part(self, key: str, upload_id: str, number: int, *, expires_s: int) -> str:
        """A URL that takes one PUT with part `number` (from 1) and answers with its ETag."""

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[UploadPart]) -> ObjectStat:
        """Join the parts into the object."""

    def abort_multipart(self, key: str, upload_id: str) -> None:
        """Drop a multipart upload and its parts."""

    def check(self) -> Mapping[str, str]:
        """Write, read and delete a small object; raises `StorageUnavailable` with the reason."""
