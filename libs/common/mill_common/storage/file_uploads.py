"""Multipart uploads of the file store: a folder per upload, a file per part, named for its number and ETag."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from mill_common.errors import SourceMissing
from mill_common.storage.base import PART_MIN, UploadInvalid, UploadPart, check_part_number
from mill_common.storage.file_tree import make_folders, temporary_file
from mill_common.storage.streams import copy_stream

_ABOUT = "upload.json"
_PART = re.compile(r"\d{5}-[0-9a-f]{32}")


class FileUploads:
    """Uploads below `folder` that are neither completed nor aborted."""

    def __init__(self, folder: Path, temporary: Path) -> None:
        self._folder = folder
        self._temporary = temporary

    def start(self, key: str, content_type: str) -> str:
        """Begin an upload; returns its id."""
        upload_id = uuid.uuid4().hex
        folder = self._folder / upload_id
        make_folders(folder)
        with temporary_file(self._temporary) as (draft, file):
            file.write(json.dumps({"key": key, "content_type": content_type}).encode())
            file.flush()
            os.fsync(file.fileno())
            draft.replace(folder / _ABOUT)
        return upload_id

    def content_type(self, key: str, upload_id: str) -> str:
        """What the upload was begun with.

        Raises:
            SourceMissing: If there is no such upload for this key.
        """
        about: dict[str, str] = {}
        if re.fullmatch("[0-9a-f]{32}", upload_id):
            with suppress(FileNotFoundError):
                about = json.loads((self._folder / upload_id / _ABOUT).read_bytes())
        if about.get("key") != key:
            raise SourceMissing(f"no upload {upload_id} of {key}")
        return about["content_type"]

    def put_part(self, key: str, upload_id: str, number: int, stream: BinaryIO, size: int | None) -> str:
        """Store a part, in place of an earlier one with its number; returns its ETag, the MD5 of its bytes."""
        self.content_type(key, upload_id)
        digest = hashlib.md5(usedforsecurity=False)
        with temporary_file(self._temporary) as (draft, file):
            copy_stream(stream, file, size, digest.update)
            os.fsync(file.fileno())
            part = self._part(upload_id, check_part_number(number), digest.hexdigest())
            draft.replace(part)
        for other in part.parent.glob(f"{number:05}-*"):
            if other != part:
                other.unlink(missing_ok=True)
        return digest.hexdigest()

    def join(self, upload_id: str, parts: Sequence[UploadPart], into: BinaryIO) -> None:
        """Write the parts one after the other.

        Raises:
            UploadInvalid: If they are not what was uploaded.
        """
        paths = self._checked(upload_id, parts)
        for path in paths:
            with path.open("rb") as part:
                shutil.copyfileobj(part, into, 1024 * 1024)

    def folder(self, upload_id: str) -> Path:
        """Where an upload's parts lie."""
        return self._folder / upload_id

    def drop(self, upload_id: str) -> None:
        """Remove an upload and its parts."""
        shutil.rmtree(self._folder / upload_id, ignore_errors=True)

    def _checked(self, upload_id: str, parts: Sequence[UploadPart]) -> list[Path]:
        numbers = [part.number for part in parts]
        if not parts or numbers != sorted(set(numbers)):
            raise UploadInvalid("name each part once, in rising order")
        paths = [self._part(upload_id, part.number, part.etag.strip('"')) for part in parts]
        for part, path in zip(parts, paths, strict=True):
            if not _PART.fullmatch(path.name) or not path.exists():
                raise UploadInvalid(f"part {part.number} was not uploaded with this ETag")
        for part, path in zip(parts[:-1], paths[:-1], strict=True):
            if path.stat().st_size < PART_MIN:
                raise UploadInvalid(f"part {part.number} is smaller than {PART_MIN} bytes and not the last")
        return paths

    def _part(self, upload_id: str, number: int, etag: str) -> Path:
        return self._folder / upload_id / f"{number:05}-{etag}"
