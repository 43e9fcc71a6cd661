"""Uploads that clients put into storage themselves, and then announce as complete."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import update
from sqlmodel import col
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.fields import Filename
from mill_api.links import public
from mill_api.openapi import operation
from mill_api.problems import Fault, RequestInvalid
from mill_api.resources import Resources, resources
from mill_api.uploads.announced import remember
from mill_api.uploads.endpoints import BYTES, UploadNotFound, UploadView, media_type, owned_upload, view
from mill_api.uploads.room import UploadTooLarge, room_of
from mill_common.clock import db_now
from mill_common.errors import PermanentError, SourceMissing, StorageUnavailable
from mill_common.ids import uuid7
from mill_common.models import Upload
from mill_common.quotas import StorageQuotaExceeded
from mill_common.storage.base import LINK_MAX_S, ObjectStat, UploadInvalid, UploadPart

WHOLE_BYTES = 64 * 2**20  # a larger source comes in parts
PART_BYTES = 16 * 2**20  # at least this large
MAX_PARTS = 1000


class UploadIncomplete(PermanentError):
    """Storage does not hold the whole upload yet."""

    code = "upload_incomplete"
    status = 409


class DirectUploadRequest(BaseModel):
    """A source that the client will put into storage."""

    model_config = ConfigDict(extra="forbid")

    filename: Filename
    size: int = Field(ge=1, le=2**53, description="Bytes, exactly.")
    content_type: Annotated[str, Field(max_length=127)] = BYTES
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = Field(
        default=None, description="Of the bytes, hexadecimal. Checked when a job reads them; found out then if absent."
    )


class PartView(BaseModel):
    """Where one part goes."""

    number: int
    url: str


class DirectUploadView(UploadView):
    """How to put the source into storage: one PUT to `url`, or one to the URL of each part."""

    method: Literal["put", "multipart"]
    url: str | None = None
    part_size: int | None = Field(default=None, description="Bytes of every part but the last.")
    parts: list[PartView] | None = None


class Part(BaseModel):
    """A part as storage acknowledged it."""

    model_config = ConfigDict(extra="forbid")

    number: int = Field(ge=1, le=MAX_PARTS)
    etag: Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[!-~]+$")]


class CompletionRequest(BaseModel):
    """The parts of a multipart upload; nothing for a single PUT."""

    model_config = ConfigDict(extra="forbid")

    parts: list[Part] | None = Field(default=None, min_length=1, max_length=MAX_PARTS)


@operation(
    tag="uploads",
    status=201,
    body=DirectUploadRequest,
    returns=DirectUploadView,
    raises=[UploadTooLarge, StorageQuotaExceeded, StorageUnavailable],
)
def create_direct_upload(request: Request, body: DirectUploadRequest) -> DirectUploadView:
    """Get signed URLs to put a source into storage without passing it through this server."""
    wired = resources(request)
    room_of(wired, caller(request).owner_id).check(body.size)
    kind = media_type(body.content_type)
    if kind is None:
        fault = Fault(loc=["body", "content_type"], message="takes application/octet-stream, video/* or audio/*")
        raise RequestInvalid("body: not a source's content type", [fault])
    row = _announce(wired, caller(request).owner_id, body, kind)
    return DirectUploadView(**view(row).model_dump(), **_where_to(wired, row))


@operation(
    tag="uploads",
    body=CompletionRequest,
    body_required=False,
    returns=UploadView,
    raises=[UploadNotFound, UploadIncomplete, UploadInvalid, StorageUnavailable],
)
def complete_upload(request: Request, upload_id: UUID, body: CompletionRequest) -> UploadView:
    """Say that a direct upload is in storage. Saying it again changes nothing."""
    wired = resources(request)
    owner_id = caller(request).owner_id
    with wired.database.read() as session:
        row = owned_upload(session, upload_id, owner_id)
    if row.completed_at is None:
        _check_size(_stored(wired, row, body), row)
        with wired.database.write() as session:
            done = update(Upload).where(col(Upload.id) == row.id, col(Upload.completed_at).is_(None))
            session.execute(done.values(completed_at=db_now()))
            row = owned_upload(session, upload_id, owner_id)
    return view(row)


def _announce(wired: Resources, owner_id: str, body: DirectUploadRequest, content_type: str) -> Upload:
    upload_id = uuid7()
    key = f"uploads/{upload_id}"
    in_parts = body.size > WHOLE_BYTES
    row = Upload(
        id=upload_id,
        owner_id=owner_id,
        filename=body.filename,
        content_type=content_type,
        object_key=key,
        size=body.size,
        sha256=body.sha256,
        multipart_id=wired.store.start_multipart(key, content_type=content_type) if in_parts else None,
    )
    return remember(wired, row)


def part_size(size: int) -> int:
    """Bytes of each part of an upload of `size` bytes, in whole MiB."""
    return max(PART_BYTES, -(-size // MAX_PARTS // 2**20) * 2**20)


def _where_to(wired: Resources, row: Upload) -> dict[str, Any]:
    settings, store = wired.settings, wired.store
    expires_s = min(settings.upload_expires_s, LINK_MAX_S)
    if row.multipart_id is None:
        return {"method": "put", "url": public(settings, store.presign_put(row.object_key, expires_s=expires_s))}
    each = part_size(row.size)
    parts = [
        PartView(
            number=number,
            url=public(settings, store.presign_part(row.object_key, row.multipart_id, number, expires_s=expires_s)),
        )
        for number in range(1, -(-row.size // each) + 1)
    ]
    return {"method": "multipart", "part_size": each, "parts": parts}


def _stored(wired: Resources, row: Upload, body: CompletionRequest) -> ObjectStat:
    try:
        if row.multipart_id is None:
            return wired.store.stat(row.object_key)
        return _joined(wired, row, row.multipart_id, body)
    except SourceMissing:
        raise UploadIncomplete from None


def _joined(wired: Resources, row: Upload, multipart_id: str, body: CompletionRequest) -> ObjectStat:
    try:
        # An earlier attempt may have joined the parts and then lost its answer.
        return wired.store.stat(row.object_key)
    except SourceMissing:
        pass
    if body.parts is None:
        raise UploadIncomplete("Name the parts that were put, each with its ETag.")
    numbers = [part.number for part in body.parts]
    if numbers != list(range(1, len(numbers) + 1)):
        raise RequestInvalid("parts: name every part once, in order.")
    parts = [UploadPart(part.number, part.etag) for part in body.parts]
    return wired.store.complete_multipart(row.object_key, multipart_id, parts)


def _check_size(stored: ObjectStat, row: Upload) -> None:
    if stored.size != row.size:
        raise UploadIncomplete(f"Storage holds {stored.size} bytes; {row.size} were announced.")
