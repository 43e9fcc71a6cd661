"""The content types that a key's suffix does not tell, kept beside the file store's objects.

A note holds the type *and* which file it speaks of (size and time of change). It is written before that file takes its
place and keeps what it said of the file there until then, so at no moment does a reader see a wrong type: not between
the two steps, and not after a crash there.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from mill_common.storage.file_tree import make_folders, path_of, prune, temporary_file
from mill_common.storage.keys import type_by_suffix


class FileTypes:
    """Notes below `folder`. Writers hold the lock of the object's folder."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        self._folder = folder
        self._temporary = temporary

    def find(self, key: str, stat: os.stat_result) -> str:
        """The content type of the file of this key that `stat` describes."""
        return self._read(key).get(_identity(stat)) or type_by_suffix(key)

    def announce(self, key: str, stat: os.stat_result, content_type: str) -> None:
        """Note the type of a file that is about to take the key's place."""
        notes = self._read(key)
        if content_type != type_by_suffix(key) or notes:
            self._write(key, {**notes, _identity(stat): content_type})

    def settle(self, key: str, stat: os.stat_result) -> None:
        """Forget every file of this key but the one that `stat` describes."""
        notes = self._read(key)
        content_type = notes.get(_identity(stat))
        if content_type is None or content_type == type_by_suffix(key):
            self.forget(key)
        elif len(notes) > 1:
            self._write(key, {_identity(stat): content_type})

    def forget(self, key: str) -> None:
        """Remove the key's note."""
        path = path_of(self._folder, key)
        with suppress(FileNotFoundError):
            path.unlink()
            prune(self._folder, path.parent)

    def _read(self, key: str) -> dict[str, str]:
        try:
            notes = json.loads(path_of(self._folder, key).read_bytes())
        except (FileNotFoundError, ValueError):
            return {}  # ValueError: a power cut emptied it
        return notes if isinstance(notes, dict) else {}

    def _write(self, key: str, notes: dict[str, str]) -> None:
        path = path_of(self._folder, key)
        while True:
            make_folders(path.parent)
            with temporary_file(self._temporary) as (draft, file), suppress(FileNotFoundError):
                file.write(json.dumps(notes).encode())
                file.flush()
                os.fsync(file.fileno())
                draft.replace(path)
                return


def same_file(one: os.stat_result, other: os.stat_result) -> bool:
    """Whether a note of one speaks of the other."""
    return _identity(one) == _identity(other)


def _identity(stat: os.stat_result) -> str:
    return f"{stat.st_size}:{stat.st_mtime_ns}"
