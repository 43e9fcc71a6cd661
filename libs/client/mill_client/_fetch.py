"""One output on its way to disk: resumed where it broke off, checked, and only then given its name."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable
from pathlib import Path
from threading import Event

import httpx

from ._body import CHUNK
from ._calls import jobs as calls
from ._sync.transport import Transport
from .errors import ApiError, ConnectionFailed, Stopped, TransferFailed
from .models import Downloaded, OutputFile

OnFile = Callable[[OutputFile, int], None]
"""Told a file and how many of its bytes are here. Called from several threads."""


class Fetch:
    """Fetches one output of a job to `target`."""

    def __init__(self, transport: Transport, job_id: str, file: OutputFile, target: Path) -> None:
        self._transport = transport
        self._job_id = job_id
        self._file = file
        self._target = target
        self._etag = ""
        # Bytes of an earlier run are gone on with only if they surely belong to the same file.
        self._digest = _digest_of(file)
        mark = self._digest[:16] or secrets.token_hex(8)
        self._part = target.with_name(f".{target.name[:180]}.{mark}.part")

    def run(self, on_file: OnFile, stop: Event) -> Downloaded:
        """Fetch it, unless the very file is there already.

        Raises:
            TransferFailed: What arrived is not what was announced.
            ConnectionFailed: The connection broke again and again without a byte in between.
        """
        here = self._present()
        if here:
            on_file(self._file, here.size)
            return here
        self._target.parent.mkdir(parents=True, exist_ok=True)
        try:
            return self._checked(on_file, stop)
        finally:
            if not self._digest:
                self._part.unlink(missing_ok=True)  # no later run could trust it

    def _checked(self, on_file: OnFile, stop: Event) -> Downloaded:
        resumed = self._part.exists()
        self._fetch(on_file, stop)
        try:
            return self._finish()
        except TransferFailed:
            if not resumed:
                raise
        self._fetch(on_file, stop)  # the earlier run's bytes were bad, and are gone
        return self._finish()

    def _present(self) -> Downloaded | None:
        # Without a digest an equal size proves nothing: playlists of two videos are often of one length.
        if not self._digest or not self._target.is_file():
            return None
        if self._file.size not in {None, self._target.stat().st_size} or _sha256(self._target) != self._digest:
            return None
        return self._downloaded("present", self._digest)

    def _fetch(self, on_file: OnFile, stop: Event) -> None:
        failures = 0
        while self._size() != self._file.size or not self._part.exists():
            before = self._size()
            try:
                self._receive(on_file, stop)
            except ConnectionFailed:
                failures = 0 if self._size() > before else failures + 1
                if failures > 2 or stop.wait(0.2 * 2**failures):
                    raise
                continue
            except ApiError:
                self._part.unlink(missing_ok=True)
                raise
            return

    def _receive(self, on_file: OnFile, stop: Event) -> None:
        offset = self._offset()
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        if offset and self._etag:
            headers["If-Range"] = self._etag
        with self._transport.open(calls.download(self._job_id, self._file.name, headers)) as response:
            done = _start(response, offset)
            etag = response.headers.get("ETag", "")
            self._etag = "" if etag.startswith("W/") else etag
            with self._part.open("ab") as part:
                part.truncate(done)
                for chunk in response.iter_bytes(CHUNK):
                    done += len(chunk)
                    self._go_on(done, stop)
                    part.write(chunk)
                    on_file(self._file, done)

    def _go_on(self, done: int, stop: Event) -> None:
        if stop.is_set():
            raise Stopped("the download was stopped")
        if self._file.size is not None and done > self._file.size:
            self._part.unlink(missing_ok=True)
            raise TransferFailed(f"{self._file.name} is longer than the {self._file.size} bytes announced")

    def _offset(self) -> int:
        size = self._size()
        surely_same = self._etag or self._digest
        within = self._file.size is None or size < self._file.size
        return size if surely_same and within else 0

    def _finish(self) -> Downloaded:
        size, sha256 = self._size(), _sha256(self._part)
        if self._file.size not in {None, size} or (self._digest and sha256 != self._digest):
            self._part.unlink()
            raise TransferFailed(f"{self._file.name} did not arrive as announced: other size or digest")
        self._part.replace(self._target)
        return self._downloaded("downloaded", sha256)

    def _downloaded(self, outcome: str, sha256: str) -> Downloaded:
        facts = {
            "name": self._file.name,
            "path": self._target,
            "size": self._target.stat().st_size,
            "sha256": sha256,
            "outcome": outcome,
        }
        return Downloaded.model_validate(facts)

    def _size(self) -> int:
        return self._part.stat().st_size if self._part.exists() else 0


def _start(response: httpx.Response, offset: int) -> int:
    """The byte at which a response begins; 0 if the server sends everything."""
    if response.status_code != httpx.codes.PARTIAL_CONTENT:
        return 0
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    if not found or int(found[1]) != offset:
        raise TransferFailed("the server sent another range than was asked for")
    return offset


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest_of(file: OutputFile) -> str:
    """The announced SHA-256 in hex; empty if there is none, or it is not one."""
    text = file.sha256 or ""
    return text if re.fullmatch(r"[0-9a-f]{64}", text) else ""
