"""Object storage: `open_store` gives the store that the settings name."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from mill_common.settings import Settings
from mill_common.signing import Signer
from mill_common.storage.base import ObjectStat, ObjectStore, UploadInvalid, UploadPart
from mill_common.storage.file_links import FileLinks, PartTarget
from mill_common.storage.files import FileStore
from mill_common.storage.s3 import S3Store
from mill_common.storage.s3_client import S3Address

__all__ = [
    "FileStore",
    "ObjectStat",
    "ObjectStore",
    "PartTarget",
    "S3Store",
    "UploadInvalid",
    "UploadPart",
    "open_store",
]


def open_store(settings: Settings) -> ObjectStore:
    """The store of `settings.storage_url`: `file:///…`, or S3 as `S3Address` describes it.

    Raises:
        ValueError: If the URL is neither.
        StorageUnavailable: If a file store's folder cannot be made; an S3 server is asked only at the first use.
    """
    parts = urlsplit(settings.storage_url)
    if parts.scheme == "s3":
        return S3Store(S3Address.parse(settings.storage_url))
    if parts.scheme != "file" or parts.netloc or not parts.path:
        raise ValueError("MILL_STORAGE_URL: expected file:///… or s3://…")
    return FileStore(Path(unquote(parts.path)), FileLinks(Signer.from_settings(settings), settings.public_url))
