"""A request's body, for code that reads blocking streams."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from mill_common.errors import MillError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 2**20  # bytes fetched from the event loop at a time


class BodyStream(io.RawIOBase):
    """Blocks that arrive on the event loop, read by one thread.

    The thread fetches each block when it has used up the last one, so the client is slowed down to the speed of
    storage and memory holds one block. Made on the event loop; `read` must be called off it.
    """

    def __init__(self, blocks: AsyncIterator[bytes], *, limit: int, error: type[MillError]) -> None:
        super().__init__()
        self._blocks = blocks
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._error = error
        self._hash = hashlib.sha256()
        self._block = memoryview(b"")
        self._ended = False
        self.size = 0  # bytes handed out

    @property
    def sha256(self) -> str:
        """Of everything read so far, hexadecimal."""
        return self._hash.hexdigest()

    async def begin(self) -> bool:
        """Fetch the first block. False if there is none."""
        await self._fetch()
        return bool(self._block)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Fill `buffer` as far as the block at hand goes, or the next one.

        Raises:
            MillError: The `error` this was made with, once more than `limit` bytes came.
            ClientDisconnect: The client left before the end.
        """
        if not self._block and not self._ended:
            asyncio.run_coroutine_threadsafe(self._fetch(), self._loop).result()
        target = memoryview(buffer).cast("B")
        taken = self._block[: len(target)]
        target[: len(taken)] = taken
        self._block = self._block[len(taken) :]
        self._hash.update(taken)
        self.size += len(taken)
        if self.size > self._limit:
            raise self._error(f"The file is longer than the limit of {self._limit} bytes.")
        return len(taken)

    async def _fetch(self) -> None:
        parts: list[bytes] = []
        size = 0
        async for part in self._blocks:
            parts.append(part)
            size += len(part)
            if size >= BLOCK:
                break
        else:
            self._ended = True
        self._block = memoryview(b"".join(parts))
