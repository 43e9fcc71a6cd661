"""Handing videos in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .._body import OnBytes
from .._calls import uploads as calls
from .._files import Files
from ..models import Upload
from .transport import AsyncTransport
from .work import in_thread


class AsyncUploads:
    """Videos that were handed in. Those no job uses expire.

    Callbacks are told the bytes sent so far and the bytes in all, in the thread that reads the file.
    """

    def __init__(self, transport: AsyncTransport, files: Files) -> None:
        self._transport = transport
        self._files = files

    async def send(self, path: Path | str, *, filename: str | None = None, on_bytes: OnBytes | None = None) -> Upload:
        """Stream a file to the server in one request.

        Raises:
            TransferFailed: The server holds other bytes than the file, or the file changed meanwhile.
            OSError: The file cannot be read.
        """
        return await in_thread(self._files.send, Path(path), filename, on_bytes)

    async def send_resumable(
        self,
        path: Path | str,
        *,
        filename: str | None = None,
        upload_url: str | None = None,
        on_start: Callable[[str], None] | None = None,
        on_bytes: OnBytes | None = None,
        outage_s: float = 60.0,
    ) -> Upload:
        """Send a file by tus 1.0.0, in pieces that are each checked; goes on by itself where a connection broke.

        Args:
            path: The file.
            filename: Its name at the server, if not its own.
            upload_url: Of an upload that was begun before, perhaps by a process that is gone: it is gone on with.
            on_start: Told the upload's URL as soon as there is one. Keep it, and nothing is sent twice.
            on_bytes: Told how far it is.
            outage_s: Seconds for which the server may be away.

        Raises:
            NotFound: `upload_url` is no upload (any more).
            TransferFailed: The upload is of another file, or the file changed meanwhile.
            ConnectionFailed: The server was away for longer.
            OSError: The file cannot be read.
        """
        return await in_thread(
            self._files.send_resumable,
            Path(path),
            filename,
            upload_url,
            on_start,
            on_bytes,
            outage_s=outage_s,
        )

    async def send_direct(
        self,
        path: Path | str,
        *,
        filename: str | None = None,
        content_type: str | None = None,
        on_bytes: OnBytes | None = None,
    ) -> Upload:
        """Put a file into storage without passing through the server, a large one in parts.

        Raises:
            TransferFailed: Storage did not take it.
            OSError: The file cannot be read.
        """
        return await in_thread(self._files.send_direct, Path(path), filename, content_type, on_bytes)

    async def get(self, upload_id: str) -> Upload:
        """One upload."""
        return await self._transport.send(calls.get(upload_id))

    async def delete(self, upload_id: str) -> None:
        """Delete an upload, complete or not, that no job uses."""
        await self._transport.send(calls.delete(upload_id))
