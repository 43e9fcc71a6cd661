"""A file sent by tus 1.0.0: in pieces, each with its checksum, going on where a connection broke.

Source: https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

from ._body import CHUNK, OnBytes, check, size_of
from ._calls import uploads as calls
from ._sync.transport import Transport
from .errors import (
    ChecksumMismatch,
    Conflict,
    ConnectionFailed,
    Locked,
    RateLimited,
    ServerError,
    TransferFailed,
)
from .models import Upload

PIECE = 8 * 2**20  # bytes sent in one request, and at most lost with it
LONGEST_PAUSE_S = 5.0
_PASSING = (ChecksumMismatch, Conflict, ConnectionFailed, Locked, RateLimited, ServerError)


class Resumable:
    """Sends one file to one upload."""

    def __init__(
        self, transport: Transport, path: Path, upload_id: str, on_bytes: OnBytes | None, stop: Event | None
    ) -> None:
        self._transport = transport
        self._path = path
        self._id = upload_id
        self._size = size_of(path)
        self._on_bytes = on_bytes
        self._stop = stop or Event()
        self._digest = hashlib.sha256()
        self._digested = 0

    def run(self, outage_s: float) -> Upload:
        """Send what the server does not have yet.

        Raises:
            ApiError: The server does not know the upload, or does not want it.
            TransferFailed: The upload is of another file, or the file changed meanwhile.
            ConnectionFailed: Nothing arrived for `outage_s` seconds.
        """
        offset, failures, since = None, 0, time.monotonic()
        while offset != self._size:
            try:
                offset = self._look() if offset is None else self._send_piece(offset)
                if offset > 0:
                    failures, since = 0, time.monotonic()
            except _PASSING as error:
                failures += 1
                if not _may_pass(error) or time.monotonic() - since > outage_s:
                    raise
                self._stop.wait(min(LONGEST_PAUSE_S, 0.25 * 2**failures))
                offset = None  # ask how far it is
            check(self._stop)
        return self._checked(self._transport.send(calls.get(self._id)))

    def _look(self) -> int:
        offset, length = self._transport.send(calls.look_tus(self._id))
        if length != self._size:
            raise TransferFailed(f"the upload is of {length} bytes, and {self._path} has {self._size}")
        self._tell(offset)
        return offset

    def _send_piece(self, offset: int) -> int:
        with self._path.open("rb") as file:
            file.seek(offset)
            piece = file.read(min(PIECE, self._size - offset))
        if not piece:
            raise TransferFailed(f"{self._path} became shorter while it was uploaded")
        if offset == self._digested:
            self._digest.update(piece)
            self._digested += len(piece)

        def content() -> Iterator[bytes]:
            for start in range(0, len(piece), CHUNK):
                check(self._stop)
                yield piece[start : start + CHUNK]
                self._tell(offset + min(start + CHUNK, len(piece)))

        return self._transport.send(calls.go_on_tus(self._id, offset, piece, content))

    def _checked(self, upload: Upload) -> Upload:
        if upload.size != self._size or upload.sha256 not in {None, self._sha256()}:
            raise TransferFailed(f"the server received other bytes than {self._path} holds")
        return upload

    def _sha256(self) -> str:
        if self._digested == self._size:
            return self._digest.hexdigest()
        with self._path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _tell(self, sent: int) -> None:
        if self._on_bytes:
            self._on_bytes(sent, self._size)


def _may_pass(error: Exception) -> bool:
    """Whether asking again can help: another conflict than of offsets stays one."""
    return not isinstance(error, Conflict) or error.code == "offset_mismatch"
