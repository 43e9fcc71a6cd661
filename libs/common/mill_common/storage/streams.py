"""Reading a stream that someone else feeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from mill_common.errors import StorageUnavailable

COPY_BLOCK = 1024 * 1024  # bytes


class StreamFailed(Exception):
    """The stream raised; its own error is the cause. Keeps it apart from errors of what the bytes go to."""


class Feed:
    """At most `size` bytes of a stream, and a complaint if it holds less."""

    def __init__(self, stream: BinaryIO, size: int | None) -> None:
        self._stream = stream
        self._left = size

    def read(self, length: int) -> bytes:
        """`length` bytes, or fewer at the end.

        Raises:
            StreamFailed: If the stream raises.
            StorageUnavailable: If the stream ends before `size`.
        """
        blocks: list[bytes] = []
        wanted = length if self._left is None else min(length, self._left)
        while wanted and (block := self._block(wanted)):
            blocks.append(block)
            wanted -= len(block)
        data = blocks[0] if len(blocks) == 1 else b"".join(blocks)
        if self._left is not None:
            self._left -= len(data)
            if wanted:
                raise StorageUnavailable(f"the stream ended {self._left} bytes early")
        return data

    def _block(self, length: int) -> bytes:
        try:
            return self._stream.read(length)
        except Exception as error:
            raise StreamFailed from error


def copy_stream(
    stream: BinaryIO, into: BinaryIO, size: int | None, seen: Callable[[bytes], object] | None = None
) -> None:
    """Copy a stream (`size` bytes, if known) and flush; `seen` is called with every block.

    Raises:
        StreamFailed, StorageUnavailable: As `Feed.read` does.
    """
    feed = Feed(stream, size)
    while block := feed.read(COPY_BLOCK):
        into.write(block)
        if seen is not None:
            seen(block)
    into.flush()
