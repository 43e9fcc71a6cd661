"""The bytes of a file on their way out: read in pieces, so that memory does not grow with the file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

from .errors import Stopped, TransferFailed

CHUNK = 256 * 1024
OnBytes = Callable[[int, int], None]
"""Told the bytes sent so far and the bytes in all."""


class FileBody:
    """A file that can be streamed again from its start. `size` is bytes."""

    def __init__(self, path: Path, on_bytes: OnBytes | None = None, stop: Event | None = None) -> None:
        self.size = size_of(path)
        self._stop = stop
        self._path = path
        self._on_bytes = on_bytes or _ignore
        self._digest = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """Of what the last stream has yielded so far, in hex."""
        return self._digest.hexdigest()

    def stream(self) -> Iterator[bytes]:
        """The file's bytes, exactly `size` of them.

        Raises:
            TransferFailed: The file became shorter.
            Stopped: The upload was given up.
        """
        self._digest = hashlib.sha256()
        sent = 0
        with self._path.open("rb") as file:
            while sent < self.size:
                check(self._stop)
                chunk = file.read(min(CHUNK, self.size - sent))
                if not chunk:
                    raise TransferFailed(f"{self._path} became shorter while it was uploaded")
                self._digest.update(chunk)
                yield chunk
                sent += len(chunk)
                self._on_bytes(sent, self.size)


def size_of(path: Path) -> int:
    """Bytes of a file.

    Raises:
        OSError: It is not there.
        ValueError: It is no file.
    """
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} is not a file")
    return path.stat().st_size


def name_of(path: Path) -> str:
    """A file's name as a server takes it: what is no text is replaced, and so is what is no part of a name."""
    text = path.name.encode(errors="surrogateescape").decode(errors="replace")
    return "".join("_" if character < " " or character in "/\\\x7f" else character for character in text)


def together(sizes: Sequence[int], on_bytes: OnBytes | None) -> list[OnBytes | None]:
    """For each of several files what tells of all of them, as if they were one."""

    def behind(before: int) -> OnBytes:
        return lambda sent, _size: on_bytes(before + sent, sum(sizes)) if on_bytes else None

    return [behind(sum(sizes[:place])) if on_bytes else None for place in range(len(sizes))]


def check(stop: Event | None) -> None:
    """Raise `Stopped` if that was asked for."""
    if stop is not None and stop.is_set():
        raise Stopped("the transfer was stopped")


def _ignore(_sent: int, _size: int) -> None:
    pass
