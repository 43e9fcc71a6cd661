"""Uploads that a later run of the same command may go on with, kept in `$XDG_STATE_HOME/mediamill/uploads`."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .._body import OnBytes
from .._files import LARGE
from ..errors import NotFound
from ..models import Upload
from .profiles import state_path, write_private

if TYPE_CHECKING:
    from .._sync.client import Client

KEPT_S = 14 * 24 * 3600.0


class Resumes:
    """The unfinished uploads to one server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._folder = state_path() / "uploads"

    def send(self, path: Path, on_bytes: OnBytes) -> Upload:
        """Upload a file, from where an earlier run was interrupted if the server still has that."""
        if path.stat().st_size < LARGE:
            return self._client.uploads.send(path, on_bytes=on_bytes)
        known = self._find(path)
        try:
            return self._send(path, known, on_bytes)
        except NotFound:
            if known is None:
                raise
        return self._send(path, None, on_bytes)

    def forget(self, path: Path) -> None:
        """There is nothing to go on with: a job was made of it."""
        self._note(path).unlink(missing_ok=True)

    def _send(self, path: Path, known: str | None, on_bytes: OnBytes) -> Upload:
        def keep(url: str) -> None:
            write_private(self._note(path), json.dumps({"upload": url, **_facts(path)}))
            self._sweep()

        return self._client.uploads.send_resumable(path, upload_url=known, on_start=keep, on_bytes=on_bytes)

    def _find(self, path: Path) -> str | None:
        try:
            note = json.loads(self._note(path).read_text(encoding="utf-8"))
            same = {name: note[name] for name in ("path", "size", "mtime_ns")} == _facts(path)
            return str(note["upload"]) if same else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _note(self, path: Path) -> Path:
        named = f"{self._client.url}\0{path.resolve()}"
        return self._folder / f"{hashlib.sha256(named.encode(errors='surrogateescape')).hexdigest()[:32]}.json"

    def _sweep(self) -> None:
        for note in self._folder.glob("*.json"):
            try:
                if note.stat().st_mtime < time.time() - KEPT_S:
                    note.unlink()
            except FileNotFoundError:
                continue  # another run was quicker


def _facts(path: Path) -> dict[str, object]:
    known = path.stat()
    return {"path": str(path.resolve()), "size": known.st_size, "mtime_ns": known.st_mtime_ns}
