"""A file put into storage by signed URLs, without passing through the server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any
from urllib.parse import urljoin

import httpx

from ._body import CHUNK, OnBytes, check
from ._calls.uploads import PATIENCE_S
from .errors import TransferFailed
from .models import DirectUpload

TRIES = 4


class Direct:
    """Puts the bytes of one announced upload where its URLs say."""

    def __init__(self, server: str, path: Path, upload: DirectUpload, on_bytes: OnBytes | None, stop: Event | None):
        self._server = server
        self._path = path
        self._upload = upload
        self._on_bytes = on_bytes
        self._stop = stop or Event()

    def run(self) -> list[dict[str, Any]] | None:
        """Put everything; what storage calls each part, None if it is one.

        Raises:
            TransferFailed: Storage did not take it.
        """
        # Signed URLs take no key, and storage is to see none.
        with httpx.Client(timeout=httpx.Timeout(PATIENCE_S, connect=10.0)) as http:
            if self._upload.method == "put":
                self._put(http, self._upload.url or "", 0, self._upload.size)
                return None
            step = self._upload.part_size or self._upload.size
            return [
                {"number": part.number, "etag": self._put(http, part.url, (part.number - 1) * step, step)}
                for part in self._upload.parts or []
            ]

    def _put(self, http: httpx.Client, url: str, start: int, size: int) -> str:
        size = min(size, self._upload.size - start)
        why = ""
        for attempt in range(TRIES):
            check(self._stop)
            self._stop.wait(0.5 * 2**attempt if attempt else 0)
            try:
                where = urljoin(self._server + "/", url)
                answer = http.put(where, content=self._bytes(start, size), headers={"Content-Length": str(size)})
            except httpx.RequestError as error:
                why = str(error) or type(error).__name__
                continue
            if answer.is_success:
                return str(answer.headers.get("ETag", ""))
            why = f"{answer.status_code} {answer.reason_phrase}"
            if answer.status_code < 500:
                break
        raise TransferFailed(f"storage did not take {self._path}: {why}")

    def _bytes(self, start: int, size: int) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(start)
            done = 0
            while done < size:
                check(self._stop)
                chunk = file.read(min(CHUNK, size - done))
                if not chunk:
                    raise TransferFailed(f"{self._path} became shorter while it was uploaded")
                yield chunk
                done += len(chunk)
                if self._on_bytes:
                    self._on_bytes(start + done, self._upload.size)
