"""Resumable uploads by the tus protocol 1.0.0: core, creation (with upload), checksum, expiration, termination.

Source: https://tus.io/protocols/resumable-upload
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from email.utils import format_datetime
from uuid import UUID

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from mill_api.auth import caller
from mill_api.fields import tidy_filename
from mill_api.limits import announced_size
from mill_api.links import path, public
from mill_api.openapi import operation
from mill_api.problems import Fault, MediaTypeUnsupported, RequestInvalid
from mill_api.resources import Resources, resources
from mill_api.uploads.announced import remember
from mill_api.uploads.body_stream import BodyStalled, BodyStream
from mill_api.uploads.endpoints import BYTES, UploadInUse, UploadNotFound, delete_upload, media_type
from mill_api.uploads.receiving import Checksum, ChecksumMismatch, Digests, Receiver, finish
from mill_api.uploads.resumable import Hold, UploadLocked, holding, look
from mill_api.uploads.room import UploadTooLarge, room_of
from mill_api.uploads.tus_headers import (
    ALGORITHMS,
    CHECKSUM,
    CHUNK,
    LENGTH,
    METADATA,
    OFFSET,
    TUS,
    VERSION,
    ChecksumUnsupported,
    TusVersionUnsupported,
    check_version,
    metadata,
    read_checksum,
    read_count,
)
from mill_common.errors import PermanentError, StorageUnavailable
from mill_common.ids import uuid7
from mill_common.models import ResumableUpload, Upload
from mill_common.quotas import StorageQuotaExceeded

EXTENSIONS = "creation,creation-with-upload,checksum,expiration,termination"


class OffsetMismatch(PermanentError):
    """The upload is not at this offset."""

    code = "offset_mismatch"
    status = 409

    def __init__(self, received: int | None = None) -> None:
        super().__init__(None if received is None else f"The upload is at offset {received}.")
        self.headers = {} if received is None else {"Upload-Offset": str(received)}


@operation(tag="uploads", status=204, scope=None)
def describe_tus(request: Request) -> Response:
    """What this server knows of the tus protocol."""
    limit = resources(request).settings.max_source_bytes
    headers = {
        "Tus-Version": VERSION,
        "Tus-Extension": EXTENSIONS,
        "Tus-Max-Size": str(limit),
        "Tus-Checksum-Algorithm": ",".join(ALGORITHMS),
    }
    return Response(status_code=204, headers=headers)


@operation(tag="uploads", status=204, scope=None)
def describe_tus_upload(request: Request, upload_id: UUID) -> Response:  # noqa: ARG001 - part of the path
    """What this server knows of the tus protocol; the same for every upload."""
    return describe_tus(request)


@operation(
    tag="uploads",
    status=201,
    headers=[TUS, LENGTH, METADATA, CHECKSUM],
    consumes=[CHUNK],
    body_required=False,
    raises=[
        TusVersionUnsupported,
        UploadTooLarge,
        StorageQuotaExceeded,
        ChecksumUnsupported,
        ChecksumMismatch,
        BodyStalled,
        StorageUnavailable,
    ],
)
async def create_resumable_upload(request: Request) -> Response:
    """Begin a resumable upload, perhaps with its first bytes. `Location` is where to go on with it."""
    check_version(request)
    length = read_count(request, LENGTH.name)
    if length == 0:
        raise RequestInvalid("The file is empty.", [Fault(loc=["header", LENGTH.name], message="takes 1 or more")])
    checksum = read_checksum(request)
    brings_bytes = request.headers.get("content-type") == CHUNK
    if brings_bytes:
        _refuse_excess(request, length)
    row = await to_thread.run_sync(_create, request, length)
    headers = {"Location": public(resources(request).settings, path("uploads", "tus", row.id)), **_expires(row)}
    if brings_bytes:
        headers |= await _receive(request, row, 0, checksum)
    return Response(status_code=201, headers=headers)


@operation(tag="uploads", headers=[TUS], raises=[TusVersionUnsupported, UploadNotFound, StorageUnavailable])
def look_at_resumable_upload(request: Request, upload_id: UUID) -> Response:
    """How much of a resumable upload is here to stay."""
    check_version(request)
    wired, owner_id = resources(request), caller(request).owner_id
    with wired.database.read() as session:
        row, state = look(session, upload_id, owner_id)
    if row.completed_at is None and state.received == row.size:
        # The request that brought the last bytes died before it was done.
        with suppress(UploadLocked), holding(wired, upload_id, owner_id) as hold:
            if hold.upload.completed_at is None:
                finish(hold, None)
    headers = {"Upload-Offset": str(state.received), "Upload-Length": str(row.size), "Cache-Control": "no-store"}
    if state.metadata_line is not None:
        headers[METADATA.name] = state.metadata_line
    return Response(status_code=200, headers=headers | _expires(row))


@operation(
    tag="uploads",
    status=204,
    headers=[TUS, OFFSET, CHECKSUM],
    consumes=[CHUNK],
    body_required=False,
    raises=[
        TusVersionUnsupported,
        UploadNotFound,
        UploadLocked,
        OffsetMismatch,
        UploadTooLarge,
        ChecksumUnsupported,
        ChecksumMismatch,
        BodyStalled,
        StorageUnavailable,
    ],
)
async def continue_resumable_upload(request: Request, upload_id: UUID) -> Response:
    """Send more bytes, from the offset at which the upload is. They go to storage as they arrive."""
    check_version(request)
    if request.headers.get("content-type") != CHUNK:
        raise MediaTypeUnsupported(f"Send {CHUNK}.")
    offset, checksum = read_count(request, OFFSET.name), read_checksum(request)
    row = await to_thread.run_sync(_at, resources(request), upload_id, caller(request).owner_id, offset)
    return Response(status_code=204, headers=await _receive(request, row, offset, checksum))


@operation(
    tag="uploads",
    status=204,
    headers=[TUS],
    raises=[TusVersionUnsupported, UploadNotFound, UploadInUse, StorageUnavailable],
)
def end_resumable_upload(request: Request, upload_id: UUID) -> None:
    """Remove a resumable upload, complete or not, that no job uses."""
    check_version(request)
    delete_upload(request, upload_id)


def _create(request: Request, length: int) -> Upload:
    wired, owner_id = resources(request), caller(request).owner_id
    room_of(wired, owner_id).check(length)
    line = request.headers.get(METADATA.name)
    named = metadata(line or "")
    upload_id = uuid7()
    kind = media_type(named.get("filetype", "")) or BYTES
    row = Upload(
        id=upload_id,
        owner_id=owner_id,
        filename=tidy_filename(named.get("filename", ""), "upload"),
        content_type=kind,
        object_key=f"uploads/{upload_id}",
        size=length,
        multipart_id=wired.store.start_multipart(f"uploads/{upload_id}", content_type=kind),
    )
    return remember(wired, row, ResumableUpload(upload_id=upload_id, metadata_line=line))


def _at(wired: Resources, upload_id: UUID, owner_id: str, offset: int) -> Upload:
    with wired.database.read() as session:
        row, state = look(session, upload_id, owner_id)
    if state.received != offset:
        raise OffsetMismatch(state.received)
    return row


async def _receive(request: Request, row: Upload, offset: int, checksum: Checksum | None) -> dict[str, str]:
    """Take the body; the headers that say how far the upload is."""
    rest = row.size - offset
    _refuse_excess(request, rest)
    digests = request.app.state.digests
    assert isinstance(digests, Digests)
    digest = digests.take(row.id, offset)
    stream = BodyStream(request.stream(), limit=rest, error=UploadTooLarge, hashing=digest)

    def work() -> int:
        with holding(resources(request), row.id, row.owner_id) as hold:
            if hold.received != offset:
                raise OffsetMismatch(hold.received)
            try:
                Receiver(hold, checksum).receive(stream)
            finally:
                if digest is not None and hold.received == offset + stream.size:
                    digests.keep(row.id, hold.received, digest)
            _finish_if_whole(hold, digest.hexdigest() if digest else None)
            return hold.received

    received = await to_thread.run_sync(work, limiter=request.app.state.upload_slots)
    return {"Upload-Offset": str(received), **_expires(row)}


def _refuse_excess(request: Request, rest: int) -> None:
    size = announced_size(request)
    if size is not None and size > rest:
        raise UploadTooLarge(f"The body has {size} bytes; {rest} are missing.")


def _finish_if_whole(hold: Hold, digest: str | None) -> None:
    if hold.received == hold.upload.size and hold.upload.completed_at is None:
        finish(hold, digest)


def _expires(row: Upload) -> dict[str, str]:
    expires_at: datetime | None = row.expires_at
    return {} if expires_at is None else {"Upload-Expires": format_datetime(expires_at, usegmt=True)}
