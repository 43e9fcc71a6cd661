"""Object storage behind one interface."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from mill_common.errors import PermanentError


class UploadInvalid(PermanentError):
    """The parts named to complete an upload are not the parts that were uploaded."""

    code = "upload_invalid"


PART_MIN = 5 * 2**20  # bytes: S3's rule for every part but the last
PART_NUMBER_MAX = 10_000
LINK_MAX_S = 7 * 24 * 3600  # the longest that S3 signs for


def check_expiry(expires_s: int) -> int:
    """The lifetime of a link itself; raises ValueError if no link lasts so long or so short."""
    if not 1 <= expires_s <= LINK_MAX_S:
        raise ValueError(f"a link lasts from 1 to {LINK_MAX_S} seconds, not {expires_s}")
    return expires_s


def check_part_number(number: int) -> int:
    """The number itself; raises ValueError if no part has it."""
    if not 1 <= number <= PART_NUMBER_MAX:
        raise ValueError(f"a part's number is from 1 to {PART_NUMBER_MAX}, not {number}")
    return number


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
    `keys.py` has the rest of the rule.

    An object becomes visible whole or not at all. Missing objects raise `SourceMissing`; a server that does not
    answer, a full disk or a broken transfer raises `StorageUnavailable`.
    """

    def put(self, key: str, stream: BinaryIO, *, size: int | None, content_type: str) -> ObjectStat:
        """Store what `stream` holds; `size` in bytes if known, and then no more than that is read.

        Memory use does not grow with the object. What `stream.read` raises comes out unchanged, and nothing is stored;
        a stream that ends before `size` raises `StorageUnavailable`.
        """

    def put_file(self, key: str, path: Path, *, content_type: str) -> ObjectStat:
        """Store a local file. The file may be linked, so nobody may write to it afterwards."""

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The object's bytes in blocks, from `start`, at most `length` bytes.

        A missing object raises here, not at the first block. The iterator has a `close` for readers that stop early.
        """

    def fetch(self, key: str, path: Path) -> Path:
        """A local, readable file with the object's bytes: `path`, or the store's own copy (never to be written)."""

    def stat(self, key: str) -> ObjectStat:
        """Size, time and type."""

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        """Every object whose key starts with `prefix`, in key order. Types are by suffix; `stat` knows better."""

    def delete(self, keys: Sequence[str]) -> int:
        """Remove objects; keys that are not there are ignored. Returns how many were asked for."""

    def presign_get(self, key: str, *, expires_s: int, filename: str | None = None) -> str:
        """A URL that serves the object with Range until it expires; `filename` sets Content-Disposition."""

    def presign_put(self, key: str, *, expires_s: int) -> str:
        """A URL that takes one PUT with the object's bytes."""

    def start_multipart(self, key: str, *, content_type: str) -> str:
        """Begin a multipart upload; returns its id. Every part but the last must hold `PART_MIN` bytes."""

    def presign_part(self, key: str, upload_id: str, number: int, *, expires_s: int) -> str:
        """A URL that takes one PUT with part `number` (from 1) and answers with its ETag."""

    def store_part(self, key: str, upload_id: str, number: int, data: bytes) -> UploadPart:
        """Store part `number` (from 1), in place of an earlier one. Numbers may leave gaps; their order counts.

        Raises:
            SourceMissing: If there is no such upload (any more) and the server looks: not every S3 server does.
        """

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[UploadPart]) -> ObjectStat:
        """Join the parts into the object.

        Raises:
            SourceMissing: If there is no such upload (any more).
            UploadInvalid: If a part was not uploaded, is too small, or has another ETag.
        """

    def abort_multipart(self, key: str, upload_id: str) -> None:
        """Drop a multipart upload and its parts."""

    def check(self) -> Mapping[str, str]:
        """Write, read and delete a small object; raises `StorageUnavailable` with the reason."""
