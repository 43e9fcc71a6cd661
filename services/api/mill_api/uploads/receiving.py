"""Bytes on their way into a resumable upload: whole parts at once, and what is left of them as a tail."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any
from uuid import UUID

from starlette.requests import ClientDisconnect

from mill_api.uploads.body_stream import BLOCK, BodyStalled, BodyStream
from mill_api.uploads.endpoints import BYTES, UploadNotFound
from mill_api.uploads.resumable import Hold
from mill_common.errors import MillError, PermanentError, SourceMissing
from mill_common.storage import ObjectStore, UploadPart
from mill_common.storage.base import PART_MIN
from mill_common.uploaded import tails_of

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

MOST_PARTS = 8000  # S3 takes 10,000; requests that die use up some numbers
REMEMBERED = 256  # digests of uploads that are on their way


class ChecksumMismatch(PermanentError):
    """The bytes are not those that the checksum was made of. Nothing of them was kept."""

    code = "checksum_mismatch"
    status = 460


@dataclass(frozen=True)
class Checksum:
    """What a client says of the bytes of one request."""

    algorithm: str
    digest: bytes


class Digests:
    """SHA-256 of uploads as far as this process has seen them, so that storage need not be read again at the end."""

    def __init__(self) -> None:
        self._known: OrderedDict[UUID, tuple[int, Any]] = OrderedDict()

    def take(self, upload_id: UUID, offset: int) -> Hash | None:
        """The digest of the first `offset` bytes, if it is known."""
        if offset == 0:
            return hashlib.sha256()
        seen, digest = self._known.pop(upload_id, (0, None))
        return digest if seen == offset else None

    def keep(self, upload_id: UUID, offset: int, digest: Hash) -> None:
        """Remember the digest of the first `offset` bytes."""
        self._known[upload_id] = (offset, digest)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


@dataclass
class Receiver:
    """Takes one request's bytes.

    Without a checksum each part is acknowledged as soon as storage holds it, and the rest when the request ends,
    however it ends. With one, nothing is before all of it was checked.
    """

    hold: Hold
    checksum: Checksum | None = None
    buffer: bytearray = field(default_factory=bytearray)
    parts: list[UploadPart] = field(default_factory=list)  # stored but not acknowledged
    sizes: list[int] = field(default_factory=list)

    @property
    def store(self) -> ObjectStore:
        """Where it goes."""
        return self.hold.wired.store

    def receive(self, stream: BodyStream) -> None:
        """Take everything.

        Raises:
            ClientDisconnect, BodyStalled: The client left; what it had sent is kept, if there is no checksum.
            ChecksumMismatch: Nothing is kept.
            UploadLocked, UploadNotFound: The upload is no longer this request's.
        """
        if self.hold.tail_key is not None:
            self.buffer += b"".join(self.store.get(self.hold.tail_key))
        try:
            self._take(stream)
        except (ClientDisconnect, BodyStalled):
            if self.checksum is None:
                self._keep_rest()
            raise
        self._keep_rest()

    def _take(self, stream: BodyStream) -> None:
        part_size = size_of_parts(self.hold.upload.size)
        seen = hashlib.new(self.checksum.algorithm, usedforsecurity=False) if self.checksum else None
        while block := stream.read(min(BLOCK, part_size - len(self.buffer))):
            self.buffer += block
            if seen is not None:
                seen.update(block)
            if len(self.buffer) == part_size:
                self._store_part()
                if seen is None:
                    self._acknowledge(None)
        if self.checksum and seen and seen.digest() != self.checksum.digest:
            raise ChecksumMismatch

    def _keep_rest(self) -> None:
        stored = self.hold.received - self.hold.tail_size + sum(self.sizes)
        if stored + len(self.buffer) == self.hold.upload.size and self.buffer:
            self._store_part()
        if not self.buffer:
            if self.parts:
                self._acknowledge(None)
            return
        key = f"{tails_of(self.hold.upload.id)}{self.hold.token}"
        data = bytes(self.buffer)
        self.store.put(key, BytesIO(data), size=len(data), content_type=BYTES)
        try:
            self._acknowledge((key, len(data)))
        except MillError:
            with suppress(MillError):
                self.store.delete([key])
            raise

    def _store_part(self) -> None:
        hold, data = self.hold, bytes(self.buffer)
        self.buffer.clear()
        assert hold.upload.multipart_id is not None
        hold.tried = True
        try:
            part = self.store.store_part(hold.upload.object_key, hold.upload.multipart_id, hold.number, data)
        except SourceMissing:
            raise UploadNotFound from None
        self.parts.append(part)
        self.sizes.append(len(data))
        hold.next_number()

    def _acknowledge(self, tail: tuple[str, int] | None) -> None:
        before = self.hold.tail_key
        self.hold.record(self.parts, self.sizes, tail)
        self.parts, self.sizes = [], []
        if before is not None and before != self.hold.tail_key:
            with suppress(MillError):  # whoever ends the upload removes what is left
                self.store.delete([before])


def finish(hold: Hold, digest: str | None) -> None:
    """Join the parts of an upload of which every byte is there. May be done again at any point.

    Raises:
        StorageUnavailable: Storage does not answer; ask again.
    """
    store, upload = hold.wired.store, hold.upload
    assert upload.multipart_id is not None
    try:
        store.stat(upload.object_key)  # joined by a request that then died
    except SourceMissing:
        store.complete_multipart(upload.object_key, upload.multipart_id, hold.parts())
    hold.complete(digest or _digest_of(store, upload.object_key))
    store.delete([tail.key for tail in store.list(tails_of(upload.id))])


def size_of_parts(size: int) -> int:
    """Bytes of each part but the last of an upload of `size` bytes, in whole MiB."""
    return max(PART_MIN, -(-size // MOST_PARTS // 2**20) * 2**20)


def _digest_of(store: ObjectStore, key: str) -> str:
    digest = hashlib.sha256()
    for block in store.get(key):
        digest.update(block)
    return digest.hexdigest()
