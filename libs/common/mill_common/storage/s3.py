"""Objects in a bucket of an S3 server."""

from __future__ import annotations

import math
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from minio.deleteobjects import DeleteObject
from minio.error import S3Error
from urllib3 import BaseHTTPResponse

from mill_common.errors import MillError, SourceMissing, StorageUnavailable
from mill_common.storage.base import (
    PART_NUMBER_MAX,
    ObjectStat,
    UploadInvalid,
    UploadPart,
    check_expiry,
    check_part_number,
)
from mill_common.storage.blocks import Blocks, check_range
from mill_common.storage.keys import check_key, type_by_suffix
from mill_common.storage.s3_client import Multipart, S3Address, put_whole
from mill_common.storage.s3_errors import s3_errors
from mill_common.storage.streams import Feed, StreamFailed

_GONE = "NoSuchKey"
# The answer to a deletion of many is good even if storage was too busy for some of them: those are asked for again.
_DELETE_AFTER_S = (0.0, 0.2, 1.0)
PART_SIZE = 16 * 2**20  # bytes held in memory while an object of any size is stored


class S3Store:
    """An `ObjectStore` on an S3 server. Nothing is asked of it until the first use, which makes a missing bucket."""

    def __init__(self, address: S3Address) -> None:
        self._address = address
        self._bucket = address.bucket
        self._client = address.client()
        self._links = address.link_client()
        self._multipart = Multipart(self._client, self._bucket)
        self._ready = False
        self._lock = threading.Lock()

    def put(self, key: str, stream: BinaryIO, *, size: int | None, content_type: str) -> ObjectStat:
        check_key(key)
        self._ensure_bucket()
        part_size = max(PART_SIZE, math.ceil((size or 0) / PART_NUMBER_MAX))
        feed = Feed(stream, size)
        try:
            data = feed.read(part_size)
            if len(data) < part_size:
                with s3_errors(key):
                    put_whole(self._client, self._bucket, key, data, content_type)
            else:
                self._put_parts(key, feed, data, content_type)
        except StreamFailed as failed:
            assert failed.__cause__ is not None
            raise failed.__cause__ from None
        return self.stat(key)

    def put_file(self, key: str, path: Path, *, content_type: str) -> ObjectStat:
        with path.open("rb") as stream:
            return self.put(key, stream, size=path.stat().st_size, content_type=content_type)

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        check_range(start, length)
        if length == 0:
            self.stat(key)
            return iter(())
        check_key(key)
        self._ensure_bucket()
        with s3_errors(key):
            answer = self._open(key, start, length)
        if answer is None:
            return iter(())

        def read(length: int) -> bytes:
            with s3_errors(key):
                return answer.read(length, decode_content=False)

        def close() -> None:
            answer.close()
            answer.release_conn()

        # The answer's own length, not one asked for before: the object may have been replaced in between.
        return Blocks(read, close, int(answer.headers["content-length"]))

    def fetch(self, key: str, path: Path) -> Path:
        draft = path.with_name(f".{uuid.uuid4().hex}")
        blocks = self.get(key)
        try:
            with draft.open("xb") as file:
                for block in blocks:
                    file.write(block)
            return draft.replace(path)
        except OSError as error:
            raise StorageUnavailable(f"the local copy failed: {error.strerror}") from error
        finally:
            draft.unlink(missing_ok=True)

    def stat(self, key: str) -> ObjectStat:
        check_key(key)
        self._ensure_bucket()
        with s3_errors(key):
            found = self._client.stat_object(self._bucket, key)
        return ObjectStat(key, found.size or 0, _utc(found.last_modified), found.content_type or type_by_suffix(key))

    def list(self, prefix: str) -> Iterator[ObjectStat]:
        self._ensure_bucket()
        with s3_errors(prefix):
            for found in self._client.list_objects(self._bucket, prefix=prefix, recursive=True):
                key = found.object_name or ""
                yield ObjectStat(key, found.size or 0, _utc(found.last_modified), type_by_suffix(key))

    def delete(self, keys: Sequence[str]) -> int:
        left = [DeleteObject(check_key(key)) for key in keys]
        self._ensure_bucket()
        failures = set[str | None]()
        for pause_s in _DELETE_AFTER_S:
            time.sleep(pause_s)
            with s3_errors("the bucket"):
                errors = [error for error in self._client.remove_objects(self._bucket, left) if error.code != _GONE]
            if not errors:
                return len(keys)
            failures = {error.code for error in errors}
            left = [DeleteObject(error.name) for error in errors if error.name] or left
        raise StorageUnavailable(f"object storage did not delete everything: {', '.join(map(str, failures))}")

    def presign_get(self, key: str, *, expires_s: int, filename: str | None = None) -> str:
        headers = {}
        if filename is not None:
            headers["response-content-disposition"] = f"attachment; filename*=UTF-8''{quote(filename, safe='')}"
        return self._link("GET", key, expires_s, headers)

    def presign_put(self, key: str, *, expires_s: int) -> str:
        self._ensure_bucket()
        return self._link("PUT", key, expires_s, {})

    def start_multipart(self, key: str, *, content_type: str) -> str:
        check_key(key)
        self._ensure_bucket()
        with s3_errors(key):
            return self._multipart.start(key, content_type)

    def presign_part(self, key: str, upload_id: str, number: int, *, expires_s: int) -> str:
        return self._link("PUT", key, expires_s, {"uploadId": upload_id, "partNumber": str(check_part_number(number))})

    def store_part(self, key: str, upload_id: str, number: int, data: bytes) -> UploadPart:
        with s3_errors(check_key(key)):
            return self._multipart.put_part(key, upload_id, check_part_number(number), data)

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[UploadPart]) -> ObjectStat:
        check_key(key)
        if not parts:
            raise UploadInvalid("name each part once, in rising order")
        with s3_errors(key):
            self._multipart.complete(key, upload_id, parts)
        return self.stat(key)

    def abort_multipart(self, key: str, upload_id: str) -> None:
        check_key(key)
        with suppress(SourceMissing), s3_errors(key):
            self._multipart.abort(key, upload_id)

    def check(self) -> Mapping[str, str]:
        key = f"mediamill-check/{uuid.uuid4().hex}"
        self._ensure_bucket()
        with s3_errors("the check"):
            put_whole(self._client, self._bucket, key, b"mediamill", "text/plain")
        held = b"".join(self.get(key))
        self.delete([key])
        if held != b"mediamill":
            raise StorageUnavailable("object storage does not give back what it was given")
        return {"kind": "s3", "endpoint": self._address.endpoint, "bucket": self._bucket}

    def _open(self, key: str, start: int, length: int | None) -> BaseHTTPResponse | None:
        try:
            return self._client.get_object(self._bucket, key, offset=start, length=length or 0)
        except S3Error as error:
            if error.code == "InvalidRange":  # the object ends before `start`
                return None
            raise

    def _put_parts(self, key: str, feed: Feed, data: bytes, content_type: str) -> None:
        part_size = len(data)
        upload_id = self.start_multipart(key, content_type=content_type)
        parts: MutableSequence[UploadPart] = []
        try:
            while data:
                with s3_errors(key):
                    parts.append(self._multipart.put_part(key, upload_id, len(parts) + 1, data))
                data = b""  # so that two parts are never held at once
                data = feed.read(part_size)
            with s3_errors(key):
                self._multipart.complete(key, upload_id, parts)
        except BaseException:
            with suppress(MillError):
                self.abort_multipart(key, upload_id)
            raise

    def _link(self, method: str, key: str, expires_s: int, query: Mapping[str, str]) -> str:
        lifetime = timedelta(seconds=check_expiry(expires_s))
        with s3_errors(key):
            return self._links.get_presigned_url(
                method, self._bucket, check_key(key), lifetime, extra_query_params=dict(query)
            )

    def _ensure_bucket(self) -> None:
        if self._ready:
            return
        with self._lock, s3_errors(self._bucket):
            if not self._ready and not self._client.bucket_exists(self._bucket):
                self._make_bucket()
            self._ready = True

    def _make_bucket(self) -> None:
        try:
            self._client.make_bucket(self._bucket)
        except S3Error as error:
            if error.code != "BucketAlreadyOwnedByYou":  # another service was quicker
                raise


def _utc(time: datetime | None) -> datetime:
    assert time is not None
    return time.astimezone(UTC)
