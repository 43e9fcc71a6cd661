"""Objects as files of one folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mill_common.errors import SourceMissing
from mill_common.storage.base import ObjectStat, UploadPart, check_part_number
from mill_common.storage.blocks import Blocks, check_range
from mill_common.storage.file_links import FileLinks, PartTarget
from mill_common.storage.file_tree import (
    find,
    locked,
    make_folders,
    path_of,
    prune,
    reading,
    sweep,
    sync_folder,
    temporary_file,
    writing,
)
from mill_common.storage.file_types import FileTypes, same_file
from mill_common.storage.file_uploads import FileUploads
from mill_common.storage.keys import check_key, type_by_suffix
from mill_common.storage.streams import StreamFailed, copy_stream


class FileStore:
    """An `ObjectStore` for one machine. Several processes may use one folder; opening it clears what dead ones left.

    Its links lead to the API, which checks them with `verify_get` and `verify_put`.
    """

    def __init__(self, root: Path, links: FileLinks) -> None:
        self._keys = root / "keys"
        self._temporary = root / "temporary"
        self._links = links
        self._types = FileTypes(root / "types", self._temporary)
        self._uploads = FileUploads(root / "uploads", self._temporary)
        with writing():
            for folder in (self._keys, self._temporary, root / "types", root / "uploads"):
                make_folders(folder)
            sweep(self._temporary)

    def put(self, key: str, stream: BinaryIO, *, size: int | None, content_type: str) -> ObjectStat:
        check_key(key)
        return self._write(key, content_type, lambda file: copy_stream(stream, file, size))

    def put_file(self, key: str, path: Path, *, content_type: str) -> ObjectStat:
        check_key(key)
        with path.open("rb") as file:
            with writing(), self._second_name(path, file) as draft:
                if draft is not None:
                    return self._publish(draft, key, content_type)
            return self.put(key, file, size=None, content_type=content_type)

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        check_range(start, length)
        with reading(key):
            file = self._path(key).open("rb")
            rest = max(os.fstat(file.fileno()).st_size - start, 0)
            file.seek(start)

        def read(wanted: int) -> bytes:
            with reading(key):
                return file.read(wanted)

        return Blocks(read, file.close, rest if length is None else min(rest, length))

    def fetch(self, key: str, path: Path) -> Path:
        own = self._path(key)
        with reading(key):
            own.stat()
        return own

    def stat(self, key: str) -> ObjectStat:
        path = self._path(key)
        with reading(key):
            while True:
                stat = path.stat()
                content_type = self._types.find(key, stat)
                if same_file(stat, path.stat()):  # else it was replaced before its note was read
                    return _object_stat(key, stat, content_type)

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        with reading(prefix):
            for key, entry in find(self._keys, prefix):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    yield _object_stat(key, entry.stat(), type_by_suffix(key))

    def delete(self, keys: Sequence[str]) -> int:
        paths = {key: self._path(key) for key in keys}
        for key, path in paths.items():
            with writing(), suppress(FileNotFoundError):
                with locked(path.parent):
                    path.unlink()
                    self._types.forget(key)
                prune(self._keys, path.parent)
        return len(keys)

    def presign_get(self, key: str, *, expires_s: int, filename: str | None = None) -> str:
        fields = {} if filename is None else {"filename": filename}
        return self._links.make("GET", check_key(key), expires_s=expires_s, **fields)

    def presign_put(self, key: str, *, expires_s: int) -> str:
        return self._links.make("PUT", check_key(key), expires_s=expires_s)

    def verify_get(self, key: str, query: Mapping[str, str]) -> str | None:
        """See `FileLinks.verify_get`."""
        return self._links.verify_get(key, query)

    def verify_put(self, key: str, query: Mapping[str, str]) -> PartTarget | None:
        """See `FileLinks.verify_put`."""
        return self._links.verify_put(key, query)

    def start_multipart(self, key: str, *, content_type: str) -> str:
        check_key(key)
        with writing():
            return self._uploads.start(key, content_type)

    def presign_part(self, key: str, upload_id: str, number: int, *, expires_s: int) -> str:
        part = str(check_part_number(number))
        return self._links.make("PUT", check_key(key), expires_s=expires_s, upload=upload_id, part=part)

    def put_part(self, target: PartTarget, stream: BinaryIO, *, size: int | None) -> str:
        """Store the part that a link allowed; returns its ETag. Raises as `put` does."""
        with _own_errors_of_the_stream(), writing():
            return self._uploads.put_part(target.key, target.upload_id, target.number, stream, size)

    def store_part(self, key: str, upload_id: str, number: int, data: bytes) -> UploadPart:
        check_key(key)
        with writing():
            etag = self._uploads.put_part(key, upload_id, number, BytesIO(data), len(data))
            sync_folder(self._uploads.folder(upload_id))
        return UploadPart(number, etag)

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[UploadPart]) -> ObjectStat:
        check_key(key)
        with writing():
            content_type = self._uploads.content_type(key, upload_id)
            made = self._write(key, content_type, lambda file: self._uploads.join(upload_id, parts, file))
            self._uploads.drop(upload_id)
        return made

    def abort_multipart(self, key: str, upload_id: str) -> None:
        check_key(key)
        with writing(), suppress(SourceMissing):
            self._uploads.content_type(key, upload_id)
            self._uploads.drop(upload_id)

    def check(self) -> Mapping[str, str]:
        with writing(), temporary_file(self._temporary) as (path, file):
            file.write(b"mediamill")
            file.flush()
            os.fsync(file.fileno())
            path.read_bytes()
            free = shutil.disk_usage(self._keys).free
        return {"kind": "files", "folder": str(self._keys.parent), "free_bytes": str(free)}

    def _path(self, key: str) -> Path:
        return path_of(self._keys, check_key(key))

    def _write(self, key: str, content_type: str, fill: Callable[[BinaryIO], object]) -> ObjectStat:
        with _own_errors_of_the_stream(), writing(), temporary_file(self._temporary) as (draft, file):
            fill(file)
            file.flush()
            os.fsync(file.fileno())
            return self._publish(draft, key, content_type)

    def _publish(self, draft: Path, key: str, content_type: str) -> ObjectStat:
        """Give a complete file its place: readers see the old object until here, and the new one from here."""
        path = path_of(self._keys, key)
        stat = draft.stat()
        while True:
            make_folders(path.parent)
            with suppress(FileNotFoundError), locked(path.parent):  # a delete may prune the folder meanwhile
                self._types.announce(key, stat, content_type)
                draft.replace(path)
                self._types.settle(key, stat)
                sync_folder(path.parent)
                return _object_stat(key, stat, content_type)
            draft.stat()

    @contextmanager
    def _second_name(self, path: Path, file: BinaryIO) -> Iterator[Path | None]:
        """A link in the store to a local file, or None where it must be copied.

        A file that has several names is copied: the store changes the time of what it links.
        """
        draft = self._temporary / uuid.uuid4().hex
        os.fsync(file.fileno())
        linked = False
        try:
            with suppress(OSError):
                # The lock is the file's under all its names: no sweep takes the draft.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                if os.fstat(file.fileno()).st_nlink == 1:
                    draft.hardlink_to(path)
                    os.utime(draft)  # an object is as old as its place in the store
                    linked = True
            yield draft if linked else None
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def _own_errors_of_the_stream() -> Iterator[None]:
    try:
        yield
    except StreamFailed as failed:
        assert failed.__cause__ is not None
        raise failed.__cause__ from None


def _object_stat(key: str, stat: os.stat_result, content_type: str) -> ObjectStat:
    return ObjectStat(key, stat.st_size, datetime.fromtimestamp(stat.st_mtime, UTC), content_type)
