"""The data folder belongs to one server at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from mill_common.errors import MillError


class FolderInUse(MillError):
    """Another `mill up` uses this data folder."""

    code = "folder_in_use"
    status = 409


class DataFolder:
    """A data folder, held until `release` or the end of the process, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take the folder, making it if need be.

        Raises:
            FolderInUse: Another process holds it.
        """
        path.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = os.open(path / "mill.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise FolderInUse(f"Another `mill up` uses {path}. Stop it, or give --data another folder.") from None

    def release(self) -> None:
        """Let others have it."""
        os.close(self._lock)
