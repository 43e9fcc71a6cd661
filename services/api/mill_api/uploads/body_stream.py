"""A request's body, for code that reads blocking streams."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from mill_common.errors import MillError, TransientError

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

    from _typeshed import WriteableBuffer

BLOCK = 2**20  # bytes fetched from the event loop at a time
STALL_S = 60.0  # a client that sends nothing for so long has left, whatever its connection says


class BodyStalled(TransientError):
    """The body stopped coming."""

    code = "body_stalled"
    status = 408


class BodyStream(io.RawIOBase):
    """Blocks that arrive on the event loop, read by one thread.

    The thread fetches each block when it has used up the last one, so the client is slowed down to the speed of
    storage and memory holds one block. Made on the event loop; `read` must be called off it. What is read goes into
    `hashing`, if it is given.
    """

    def __init__(
        self,
        blocks: AsyncIterator[bytes],
        *,
        limit: int,
        error: Callable[[str], MillError],
        hashing: Hash | None = None,
    ) -> None:
        super().__init__()
        self._blocks = blocks
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._error = error
        self._hash = hashing or hashlib.sha256()
        self._block = memoryview(b"")
        self._ended = False
        self._failure: Exception | None = None
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
            BodyStalled: Nothing came for `STALL_S` seconds.
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
        if self._failure is not None:
            raise self._failure
        parts: list[bytes] = []
        size = 0
        while size < BLOCK and not self._ended:
            try:
                part = await self._next()
            except Exception as error:  # noqa: BLE001 - raised at the next read
                # What came before goes first: a resumable upload keeps it.
                self._failure = error
                break
            parts.append(part)
            size += len(part)
        if self._failure is not None and not parts:
            raise self._failure
        self._block = memoryview(b"".join(parts))

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(STALL_S):
                return await anext(self._blocks)
        except StopAsyncIteration:
            self._ended = True
            return b""
        except TimeoutError:
            raise BodyStalled from None
