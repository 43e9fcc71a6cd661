"""What an S3 server says, as what a store says."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, MaxRetryError

from mill_common.errors import MillError, SourceMissing, StorageUnavailable
from mill_common.storage.base import UploadInvalid

_MISSING = {"NoSuchKey", "NoSuchUpload"}
_PARTS = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML"}
_REFUSED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"}


@contextmanager
def s3_errors(about: str) -> Iterator[None]:
    """Map every error of the client; `about` is the key or whatever else the request was about.

    Messages carry codes and names of errors, never an address with its signature or a secret.

    Raises:
        SourceMissing, UploadInvalid, StorageUnavailable: See `ObjectStore`.
    """
    try:
        yield
    except S3Error as error:
        raise _of_code(about, error.code or "unknown") from error
    except (MinioException, HTTPError, OSError) as error:
        raise StorageUnavailable(f"object storage does not answer as it should: {_name(error)}") from error


def _of_code(about: str, code: str) -> MillError:
    if code in _MISSING:
        return SourceMissing(f"{about} is not in storage")
    if code in _PARTS:
        return UploadInvalid(f"the parts of {about} are not what was uploaded ({code})")
    if code in _REFUSED:
        return StorageUnavailable(f"object storage refuses our key ({code}): see MILL_STORAGE_URL")
    return StorageUnavailable(f"object storage answers {code}")


def _name(error: Exception) -> str:
    if isinstance(error, MaxRetryError) and error.reason is not None:
        error = error.reason
    if isinstance(error, ssl.SSLError):
        return f"SSLError ({error.reason})"
    if isinstance(error, ServerError):
        return f"HTTP status {error.status_code}"
    if isinstance(error, InvalidResponseError):
        return "not an S3 answer"
    return type(error).__name__
