"""Logs as files, on request: four of them, shared by every process that writes to one folder.

A lock on a file beside it keeps two processes from turning a log over at once, and a process that finds its log turned
over by another opens the new one. So a name always holds the latest lines, and no line is lost or torn.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mill_common.settings import Settings

MEDIA = ("mill_transcoder", "mill_transcriber", "mill_common.worker")
PERFORMANCE = "mill.performance"
_MIB = 1 << 20


def _any(_record: logging.LogRecord) -> bool:
    return True


def _of_media(record: logging.LogRecord) -> bool:
    return record.name.startswith(MEDIA)


def _of_performance(record: logging.LogRecord) -> bool:
    return record.name == PERFORMANCE


@dataclass(frozen=True)
class LogFile:
    """What one file takes. Its size is in bytes; `backups` older ones are kept as `name.1`, the youngest, and so on."""

    name: str
    level: int
    max_bytes: int
    backups: int
    takes: Callable[[logging.LogRecord], bool] = _any


FILES = (
    LogFile("application.log", logging.INFO, 50 * _MIB, 5),
    LogFile("media_processing.log", logging.DEBUG, 100 * _MIB, 10, _of_media),
    LogFile("errors.log", logging.ERROR, 20 * _MIB, 5),
    LogFile("performance.log", logging.WARNING, 20 * _MIB, 3, _of_performance),
)


class SharedFileHandler(logging.Handler):
    """Appends whole lines to a file that other processes append to as well, and turns it over when it is full."""

    def __init__(self, folder: Path, file: LogFile) -> None:
        super().__init__(file.level)
        self.file = file
        self._path = folder / file.name
        self._lock_path = folder / f".{file.name}.lock"
        self._descriptor: int | None = None
        self.addFilter(file.takes)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line. A full disk costs the line, not the work that it tells of."""
        try:
            line = (self.format(record) + "\n").encode()
            with _locked(self._lock_path):
                os.write(self._open(len(line)), line)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Keep quiet: the same line goes to standard error."""

    def close(self) -> None:
        """Close the file."""
        self._close()
        super().close()

    def _open(self, more: int) -> int:
        """The descriptor of the file that is called so now, with room for `more` bytes."""
        if self._descriptor is not None and not self._is_current(self._descriptor):
            self._close()
        if self._descriptor is None:
            self._descriptor = _append(self._path)
        size = os.fstat(self._descriptor).st_size
        if size and size + more > self.file.max_bytes:
            self._close()
            self._turn_over()
            self._descriptor = _append(self._path)
        return self._descriptor

    def _is_current(self, descriptor: int) -> bool:
        try:
            named = self._path.stat()
        except FileNotFoundError:
            return False
        mine = os.fstat(descriptor)
        return (named.st_dev, named.st_ino) == (mine.st_dev, mine.st_ino)

    def _turn_over(self) -> None:
        if not self.file.backups:
            self._path.unlink(missing_ok=True)
        for number in range(self.file.backups, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def log_files(settings: Settings) -> list[LogFile]:
    """The four files, as large and as many as the settings say where they do."""
    size, backups = settings.log_rotation_bytes, settings.log_backup_count
    return [
        replace(file, max_bytes=size or file.max_bytes, backups=file.backups if backups is None else backups)
        for file in FILES
    ]


def open_log_files(folder: Path, settings: Settings) -> list[SharedFileHandler]:
    """A handler for each file. Raises OSError if the folder cannot be made."""
    folder.mkdir(parents=True, exist_ok=True)
    return [SharedFileHandler(folder, file) for file in log_files(settings)]


def _append(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
