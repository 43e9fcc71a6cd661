"""What a child says, kept within bounds."""

from __future__ import annotations

from collections.abc import Callable

from mill_common.errors import ChildFailed


class Tail:
    """The last `limit` bytes of a stream, however long it is."""

    def __init__(self, limit: int = 16 * 1024) -> None:
        self._limit = limit
        self._kept = bytearray()

    def take(self, block: bytes) -> None:
        """Add what was read."""
        self._kept += block
        if len(self._kept) > 2 * self._limit:
            del self._kept[: -self._limit]

    def text(self) -> str:
        """The end of the stream; bytes that are not UTF-8 are replaced."""
        return bytes(self._kept[-self._limit :]).decode("utf-8", "replace")


class Lines:
    """A stream of lines: handed to `on_line` as they come, or kept whole up to `limit` bytes."""

    def __init__(self, on_line: Callable[[str], bool] | None, limit: int) -> None:
        self._on_line = on_line
        self._limit = limit
        self._kept = bytearray()
        self.moves = 0  # rises whenever the child got on

    def take(self, block: bytes) -> None:
        """Add what was read.

        Raises:
            ChildFailed: The child says more than anyone can keep.
        """
        self._kept += block
        if self._on_line is None:
            self.moves += 1
        else:
            self._hand_out(self._on_line)
        if len(self._kept) > self._limit:
            raise ChildFailed("a child process wrote more to its standard output than can be kept")

    def _hand_out(self, on_line: Callable[[str], bool]) -> None:
        *lines, rest = bytes(self._kept).split(b"\n")
        self._kept = bytearray(rest)
        for line in lines:
            self.moves += on_line(line.decode("utf-8", "replace"))

    def text(self) -> str:
        """What was kept."""
        return self._kept.decode("utf-8", "replace")
