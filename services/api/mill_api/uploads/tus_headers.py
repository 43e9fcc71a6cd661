"""What tus clients say in headers."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import ClassVar

from starlette.requests import Request

from mill_api.openapi import Header
from mill_api.problems import Fault, RequestInvalid
from mill_api.uploads.receiving import Checksum
from mill_common.errors import PermanentError

VERSION = "1.0.0"
CHUNK = "application/offset+octet-stream"
ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
METADATA_LENGTH = 4096  # characters

TUS = Header("Tus-Resumable", "The protocol's version: 1.0.0.")
LENGTH = Header("Upload-Length", "Bytes of the whole source.")
METADATA = Header(
    "Upload-Metadata", "Pairs of a key and a value in Base64; `filename` and `filetype` are used.", METADATA_LENGTH
)
OFFSET = Header("Upload-Offset", "Where the bytes of this request begin.")
CHECKSUM = Header("Upload-Checksum", "An algorithm and the checksum of this request's bytes in Base64.")


class TusVersionUnsupported(PermanentError):
    """This server speaks version 1.0.0 of the tus protocol."""

    code = "tus_version_unsupported"
    status = 412
    headers: ClassVar[Mapping[str, str]] = {"Tus-Version": VERSION}


class ChecksumUnsupported(PermanentError):
    """The checksum is none that this server can check."""

    code = "checksum_unsupported"
    status = 400


def check_version(request: Request) -> None:
    """Raise `TusVersionUnsupported` unless the client speaks this version."""
    if request.headers.get(TUS.name) != VERSION:
        raise TusVersionUnsupported


def read_count(request: Request, name: str) -> int:
    """A header that is a number of bytes.

    Raises:
        RequestInvalid: It is none, or is missing.
    """
    given = request.headers.get(name, "")
    if not (given.isascii() and given.isdigit() and len(given) <= 16):
        raise RequestInvalid(f"{name} takes a number of bytes.", [Fault(loc=["header", name], message="takes digits")])
    return int(given)


def read_checksum(request: Request) -> Checksum | None:
    """What the client says of this request's bytes, if it does.

    Raises:
        ChecksumUnsupported: It cannot be checked.
    """
    given = request.headers.get(CHECKSUM.name)
    if given is None:
        return None
    algorithm, _, digest = given.partition(" ")
    if algorithm not in ALGORITHMS:
        raise ChecksumUnsupported(f"{CHECKSUM.name} takes one of {', '.join(ALGORITHMS)}.")
    try:
        decoded = base64.b64decode(digest, validate=True)
    except binascii.Error:
        decoded = b""
    if len(decoded) != hashlib.new(algorithm, usedforsecurity=False).digest_size:
        raise ChecksumUnsupported(f"{CHECKSUM.name} takes an algorithm, a space and Base64.")
    return Checksum(algorithm, decoded)


def metadata(line: str) -> dict[str, str]:
    """Pairs of `Upload-Metadata`; values are UTF-8."""
    pairs = [pair.strip().partition(" ") for pair in line.split(",") if pair.strip()]
    try:
        return {key: base64.b64decode(value, validate=True).decode() for key, _, value in pairs}
    except (binascii.Error, UnicodeDecodeError):
        fault = Fault(loc=["header", METADATA.name], message="takes keys, each with a value in Base64")
        raise RequestInvalid(f"{METADATA.name} is malformed.", [fault]) from None
