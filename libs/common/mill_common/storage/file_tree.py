"""Objects as files: where each lies, how it appears whole, and how it goes away.

Below the root:

    keys/       one file per object; the folder of `a/b` is `a+`, so that `a` may be an object too
    types/      the same tree, with the content types that a suffix does not tell
    temporary/  files being written, each locked by its writer
    uploads/    multipart uploads that are not complete
"""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mill_common.errors import SourceMissing, StorageUnavailable
from mill_common.storage.keys import check_key

FOLDER_MARK = "+"
FILE_MARK = "="


def path_of(top: Path, key: str) -> Path:
    """Where the object of a valid key lies below `top`."""
    *folders, last = key.split("/")
    # A file name never ends in the folder mark, and the file mark is added where it would hide another name.
    escape = FILE_MARK if last.rstrip(FILE_MARK).endswith(FOLDER_MARK) else ""
    return top.joinpath(*(folder + FOLDER_MARK for folder in folders), last + escape)


def segment_of(name: str) -> str:
    """The key segment of a file's or folder's name."""
    if name.endswith(FOLDER_MARK):
        return name.removesuffix(FOLDER_MARK)
    escaped = name.rstrip(FILE_MARK).endswith(FOLDER_MARK)
    return name.removesuffix(FILE_MARK) if escaped else name


def find(top: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Every object whose key starts with `prefix`, in key order. Looks into no folder beside the one that it names."""
    above = prefix[: prefix.rfind("/") + 1]
    try:
        segments = check_key(above.removesuffix("/")).split("/") if above else []
    except ValueError:
        return  # no key begins like this
    yield from _walk(top.joinpath(*(segment + FOLDER_MARK for segment in segments)), prefix, above)


def _walk(folder: Path, prefix: str, above: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    try:
        with os.scandir(folder) as entries:
            found = [(above + segment_of(entry.name), entry) for entry in entries]
    except FileNotFoundError:
        return  # pruned meanwhile
    # In key order a folder stands where its slash sorts: "a-b" comes before "a/b".
    keyed = [(key + "/" if entry.name.endswith(FOLDER_MARK) else key, entry) for key, entry in found]
    for key, entry in sorted(keyed, key=lambda pair: pair[0]):
        if not key.endswith("/"):
            if key.startswith(prefix):
                yield key, entry
        elif key.startswith(prefix) or prefix.startswith(key):
            yield from _walk(Path(entry.path), prefix, key)


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, so that they outlast a power cut."""
    while not folder.is_dir():
        make_folders(folder.parent)
        with suppress(FileNotFoundError):  # someone pruned the parent meanwhile: once more
            try:
                folder.mkdir()
                sync_folder(folder.parent)
            except FileExistsError:
                if folder.is_file():
                    raise


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def prune(top: Path, folder: Path) -> None:
    """Remove `folder` and those above it, up to `top`, as far as they are empty."""
    while folder != top:
        try:
            folder.rmdir()
        except OSError:
            return  # not empty, or gone with someone else's prune
        folder = folder.parent


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock against other threads and processes; the kernel frees it when one dies.

    Raises:
        FileNotFoundError: If the folder is gone.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_ino != folder.stat().st_ino:
            raise FileNotFoundError(errno.ENOENT, "pruned and made anew", str(folder))
        yield
    finally:
        os.close(descriptor)


@contextmanager
def temporary_file(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """A locked file to write and then move away; removed if it was not."""
    path, file = _locked_file(folder)
    try:
        with file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)


def _locked_file(folder: Path) -> tuple[Path, BinaryIO]:
    while True:
        path = folder / uuid.uuid4().hex
        file = path.open("xb")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return path, file
        file.close()  # swept between its making and its lock


def sweep(folder: Path) -> int:
    """Remove temporary files whose writers are dead. Returns how many."""
    swept = 0
    for path in list(folder.iterdir()):
        with suppress(OSError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
            swept += 1
    return swept


@contextmanager
def reading(key: str) -> Iterator[None]:
    """Turn what the file system says while reading into what a store says.

    Raises:
        SourceMissing: For a missing file.
        StorageUnavailable: For everything else: no permission, a dead mount.
    """
    try:
        with writing():
            yield
    except StorageUnavailable as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise SourceMissing(f"{key} is not in storage") from error.__cause__
        raise


@contextmanager
def writing() -> Iterator[None]:
    """Turn what the file system says while writing, such as that the disk is full, into `StorageUnavailable`."""
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"the file store failed: {os.strerror(error.errno or errno.EIO)}") from error
