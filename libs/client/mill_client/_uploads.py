"""Handing videos in."""

from __future__ import annotations

from pathlib import Path

from . import _calls
from ._body import FileBody, OnBytes
from ._transport import Transport
from .errors import TransferFailed
from .models import Upload


class Uploads:
    """Videos that were handed in. Those no job uses expire."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, path: Path | str, *, filename: str | None = None, on_bytes: OnBytes | None = None) -> Upload:
        """Stream a file to the server.

        Raises:
            TransferFailed: The server holds other bytes than the file, or the file changed meanwhile.
            OSError: The file cannot be read.
        """
        path = Path(path)
        body = FileBody(path, on_bytes)
        upload = self._transport.send(_calls.send_upload(filename or path.name, body.size, body.stream))
        if upload.size != body.size or upload.sha256 not in {None, body.sha256}:
            raise TransferFailed(f"the server received other bytes than {path} holds")
        return upload

    def get(self, upload_id: str) -> Upload:
        """One upload."""
        return self._transport.send(_calls.get_upload(upload_id))

    def delete(self, upload_id: str) -> None:
        """Delete an upload that no job uses."""
        self._transport.send(_calls.delete_upload(upload_id))
