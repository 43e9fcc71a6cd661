"""Uploads that pass through the gateway."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from io import BufferedReader
from typing import Literal
from uuid import UUID

import structlog
from anyio import to_thread
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, select
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.fields import Filename, Time, tidy_filename
from mill_api.limits import announced_size, limit_body
from mill_api.openapi import operation
from mill_api.owners import ensure_owner
from mill_api.problems import MediaTypeUnsupported, RequestInvalid
from mill_api.resources import Resources, resources
from mill_api.uploads.body_stream import BLOCK, BodyStalled, BodyStream
from mill_api.uploads.form_file import FormFile
from mill_api.uploads.room import UploadTooLarge, room_of
from mill_common.clock import db_now
from mill_common.errors import MillError, PermanentError, StorageUnavailable
from mill_common.ids import uuid7
from mill_common.models import Upload
from mill_common.quotas import StorageQuotaExceeded, make_room
from mill_common.uploaded import delete_upload_objects, in_use

log = structlog.get_logger(__name__)

FORM = "multipart/form-data"
BYTES = "application/octet-stream"
_FORM_OVERHEAD = 64 * 2**10  # bytes of boundaries and headers around a form's file
_MEDIA = re.compile(r"(?:video|audio)/[a-z0-9][a-z0-9.+-]{0,100}|application/octet-stream")


class UploadNotFound(PermanentError):
    """There is no such upload."""

    code = "upload_not_found"
    status = 404


class UploadInUse(PermanentError):
    """A job uses this upload."""

    code = "upload_in_use"
    status = 409


class UploadView(BaseModel):
    """A source that was handed in, or is about to be."""

    id: UUID
    filename: str
    size: int = Field(description="Bytes.")
    sha256: str | None = Field(description="null until the bytes of a direct upload are read.")
    content_type: str
    status: Literal["pending", "complete"]
    created_at: Time
    expires_at: Time | None = Field(description="When it is removed unless a job uses it.")


class UploadQuery(BaseModel):
    """How the file is called."""

    model_config = ConfigDict(extra="forbid")

    filename: Filename | None = Field(default=None, description="A form names its own file.")


@dataclass(frozen=True)
class _Source:
    stream: BodyStream
    filename: str
    content_type: str
    size: int | None


@operation(
    tag="uploads",
    status=201,
    query=UploadQuery,
    consumes=[BYTES, "video/*", "audio/*", FORM],
    returns=UploadView,
    raises=[UploadTooLarge, StorageQuotaExceeded, BodyStalled, StorageUnavailable],
)
async def create_upload(request: Request, query: UploadQuery) -> UploadView:
    """Hand in a source: its bytes as the body, or a form with one file in the field `file`.

    The body is written to storage as it arrives. An upload that breaks off leaves nothing behind.
    """
    source = await _begin(request, query.filename)
    return await to_thread.run_sync(
        _keep, resources(request), caller(request).owner_id, source, limiter=request.app.state.upload_slots
    )


@operation(tag="uploads", returns=UploadView, raises=[UploadNotFound])
def get_upload(request: Request, upload_id: UUID) -> UploadView:
    """Look at an upload."""
    with resources(request).database.read() as session:
        return view(owned_upload(session, upload_id, caller(request).owner_id))


@operation(tag="uploads", status=204, raises=[UploadNotFound, UploadInUse, StorageUnavailable])
def delete_upload(request: Request, upload_id: UUID) -> None:
    """Remove an upload that no job uses."""
    wired = resources(request)
    with wired.database.write() as session:
        row = owned_upload(session, upload_id, caller(request).owner_id)
        if session.scalar(select(in_use()).where(col(Upload.id) == upload_id)):
            raise UploadInUse
        session.delete(row)
        try:
            session.flush()
        except IntegrityError:  # a job took it this moment
            raise UploadInUse from None
    delete_upload_objects(wired.store, [row])


def owned_upload(session: Session, upload_id: UUID, owner_id: str) -> Upload:
    """The owner's upload of that id.

    Raises:
        UploadNotFound: There is none, or it is another owner's.
    """
    row = session.exec(select(Upload).where(col(Upload.id) == upload_id, col(Upload.owner_id) == owner_id)).first()
    if row is None:
        raise UploadNotFound
    return row


def view(row: Upload) -> UploadView:
    """What a client sees of an upload."""
    return UploadView(**row.model_dump(), status="pending" if row.completed_at is None else "complete")


def media_type(given: str) -> str | None:
    """The content type without parameters if it can be a source's; None if not."""
    kind = given.partition(";")[0].strip().lower() or BYTES
    return kind if _MEDIA.fullmatch(kind) else None


async def _begin(request: Request, filename: str | None) -> _Source:
    if request.headers.get("content-encoding", "identity") != "identity":
        raise MediaTypeUnsupported("Send the file as it is, without a content encoding.")
    room = await to_thread.run_sync(room_of, resources(request), caller(request).owner_id)
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() == FORM:
        form = FormFile(given, limit_body(request, room.limit + _FORM_OVERHEAD, room.error).stream())
        stream = await _begun(BodyStream(form.blocks(), limit=room.limit, error=room.error))
        return _Source(stream, tidy_filename(form.filename, "upload"), media_type(form.content_type) or BYTES, None)
    kind = media_type(given)
    if kind is None:
        raise MediaTypeUnsupported(f"Send {BYTES}, video/*, audio/* or {FORM}.")
    size = announced_size(request)
    if size is not None:
        room.check(size)
    stream = await _begun(BodyStream(request.stream(), limit=room.limit, error=room.error))
    return _Source(stream, filename or "upload", kind, size)


async def _begun(stream: BodyStream) -> BodyStream:
    if not await stream.begin():
        raise RequestInvalid("The file is empty.")
    return stream


def _keep(wired: Resources, owner_id: str, source: _Source) -> UploadView:
    upload_id = uuid7()
    key = f"uploads/{upload_id}"
    wired.store.put(key, BufferedReader(source.stream, BLOCK), size=source.size, content_type=source.content_type)
    try:
        with wired.database.write() as session:
            ensure_owner(session, owner_id)
            make_room(session, owner_id, source.stream.size, wired.settings)
            row = Upload(
                id=upload_id,
                owner_id=owner_id,
                filename=source.filename,
                content_type=source.content_type,
                object_key=key,
                size=source.stream.size,
                sha256=source.stream.sha256,
                expires_at=expiry(session, wired),
                completed_at=session.scalar(select(db_now())),
            )
            session.add(row)
            session.flush()
            session.refresh(row)
        return view(row)
    except BaseException:
        _drop(wired, key)
        raise


def expiry(session: Session, wired: Resources) -> datetime | None:
    """When an upload made now is removed unless a job uses it."""
    return session.scalar(select(db_now(wired.settings.upload_expires_s)))


def _drop(wired: Resources, key: str) -> None:
    try:
        wired.store.delete([key])
    except MillError as error:  # the first error matters more
        log.warning("object left behind", key=key, error=error.code)
