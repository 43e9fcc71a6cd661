"""Files on their way to and from the server: blocking work, which async programs have done in a thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event, Lock

from ._body import FileBody, OnBytes, name_of, size_of
from ._calls import jobs, uploads
from ._calls.call import given
from ._direct import Direct
from ._downloads import download_all
from ._fetch import OnFile
from ._http import Settings
from ._names import choose
from ._sync.transport import Transport
from ._tus import Resumable
from .errors import TransferFailed
from .models import Downloaded, Upload

LARGE = 16 * 2**20
"""Bytes from which a file is sent so that it can be resumed."""


class Files:
    """Sends and fetches files. Made without a connection; the first transfer opens one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: Transport | None = None
        self._opening = Lock()

    @property
    def _transport(self) -> Transport:
        with self._opening:
            self._opened = self._opened or Transport(self._settings)
            return self._opened

    def close(self) -> None:
        """Close every connection."""
        if self._opened:
            self._opened.close()

    def send(self, path: Path, filename: str | None, on_bytes: OnBytes | None, *, stop: Event | None = None) -> Upload:
        """Stream a file in one request."""
        body = FileBody(path, on_bytes, stop)
        upload = self._transport.send(uploads.send(filename or name_of(path), body.size, body.stream))
        if upload.size != body.size or upload.sha256 not in {None, body.sha256}:
            raise TransferFailed(f"the server received other bytes than {path} holds")
        return upload

    def send_resumable(
        self,
        path: Path,
        filename: str | None,
        upload_url: str | None,
        on_start: Callable[[str], None] | None,
        on_bytes: OnBytes | None,
        *,
        outage_s: float,
        stop: Event | None = None,
    ) -> Upload:
        """Send a file in pieces."""
        size = size_of(path)
        if upload_url:
            # Only the id is taken from it: the key goes to our own server and no other.
            upload_id = upload_url.rstrip("/").rpartition("/")[2]
        else:
            upload_id = self._transport.send(uploads.begin_tus(filename or name_of(path), size))
        if on_start:
            on_start(self._settings.url + uploads.tus_path(upload_id))
        return Resumable(self._transport, path, upload_id, on_bytes, stop).run(outage_s)

    def send_direct(
        self,
        path: Path,
        filename: str | None,
        content_type: str | None,
        on_bytes: OnBytes | None,
        *,
        stop: Event | None = None,
    ) -> Upload:
        """Put a file into storage."""
        body = given(filename=filename or name_of(path), size=size_of(path), content_type=content_type)
        upload = self._transport.send(uploads.begin_direct(body))
        parts = Direct(self._settings.url, path, upload, on_bytes, stop).run()
        return self._transport.send(uploads.complete_direct(upload.id, parts))

    def download(
        self,
        job_id: str,
        folder: Path,
        names: Sequence[str],
        threads: int,
        on_file: OnFile | None,
        *,
        stop: Event | None = None,
    ) -> list[Downloaded]:
        """Write outputs to a folder."""
        files = choose(self._transport.send(jobs.outputs(job_id)).files, names)
        return download_all(self._transport, job_id, files, folder, threads=threads, on_file=on_file, stop=stop)
