"""Reading an object block by block."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self

from mill_common.errors import StorageUnavailable

BLOCK = 256 * 1024  # bytes


class Blocks(Iterator[bytes]):
    """Exactly `length` bytes in blocks; closes what it reads from at the end, on an error, and when dropped."""

    def __init__(self, read: Callable[[int], bytes], close: Callable[[], object], length: int) -> None:
        self._read = read
        self._close: Callable[[], object] | None = close
        self._left = length

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._close is None or self._left == 0:
            self.close()
            raise StopIteration
        try:
            block = self._read(min(BLOCK, self._left))
        except BaseException:
            self.close()
            raise
        if not block:
            self.close()
            raise StorageUnavailable(f"the object ended {self._left} bytes early")
        self._left -= len(block)
        return block

    def close(self) -> None:
        """Stop reading."""
        close, self._close = self._close, None
        if close is not None:
            close()

    def __del__(self) -> None:
        self.close()


def check_range(start: int, length: int | None) -> None:
    """Raises ValueError for a range that cannot be."""
    if start < 0 or (length is not None and length < 0):
        raise ValueError(f"no such range: {start=} {length=}")
