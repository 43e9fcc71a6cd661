"""Where a job's sources lie."""

from __future__ import annotations

from typing import Annotated, Any, Self
from urllib.parse import unquote, urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from sqlmodel import col, or_, select

from mill_api.auth import Caller, Forbidden
from mill_api.fields import tidy_filename
from mill_api.jobs.same_job import source_mark
from mill_api.resources import Resources
from mill_api.uploads.room import UploadTooLarge
from mill_common.clock import db_now
from mill_common.errors import SourceMissing
from mill_common.models import Upload
from mill_common.quotas import limits_of
from mill_common.storage.keys import check_key
from mill_common.uploaded import in_use


def _fetchable(url: str) -> str:
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError("takes visible ASCII characters; quote the others")
    parts = urlsplit(url)  # raises ValueError for a malformed host
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("takes an http or https URL with a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("takes no user name or password")
    if parts.port == 0:  # reading the port raises ValueError if it is out of range
        raise ValueError("takes no port 0")
    return url


SourceUrl = Annotated[
    str,
    Field(max_length=2048, json_schema_extra={"format": "uri", "pattern": "^[hH][tT][tT][pP][sS]?://[!-~]+$"}),
    AfterValidator(_fetchable),
]
ObjectKey = Annotated[str, Field(min_length=1, max_length=512), AfterValidator(check_key)]


class SourceRequest(BaseModel):
    """Where the video is: exactly one of the three."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1, "maxProperties": 1})

    upload_id: UUID | None = Field(default=None, description="A complete upload of the same owner.")
    object_key: ObjectKey | None = Field(
        default=None, description="An object in storage below `incoming/{owner}/`; any object for an admin key."
    )
    url: SourceUrl | None = Field(default=None, description="Fetched by a worker; public addresses only.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        given = [self.upload_id, self.object_key, self.url]
        if len(self.model_fields_set) != 1 or all(value is None for value in given):
            raise ValueError("give exactly one of upload_id, object_key and url")
        return self


def find_source(wired: Resources, caller: Caller, source: SourceRequest) -> dict[str, Any]:
    """What a job's row says of its source.

    Raises:
        SourceMissing: The source is not there, or is another owner's.
        Forbidden: The object is outside what the key may name.
        UploadTooLarge: The object exceeds the limit.
    """
    if source.upload_id is not None:
        return _from_upload(wired, caller.owner_id, source.upload_id)
    if source.object_key is not None:
        return _from_object(wired, caller, source.object_key)
    assert source.url is not None
    path = unquote(urlsplit(source.url).path, errors="replace")
    mark = source_mark("url", source.url)
    return {"source_url": source.url, "source_mark": mark, "filename": tidy_filename(path, "video")}


def _from_upload(wired: Resources, owner_id: str, upload_id: UUID) -> dict[str, Any]:
    unexpired = or_(col(Upload.expires_at).is_(None), col(Upload.expires_at) > db_now())
    with wired.database.read() as session:
        row = session.exec(
            select(Upload).where(
                col(Upload.id) == upload_id,
                col(Upload.owner_id) == owner_id,
                col(Upload.completed_at).is_not(None),
                or_(unexpired, in_use()),
            )
        ).first()
    if row is None:
        raise SourceMissing("There is no complete upload of this id.")
    return {
        "upload_id": row.id,
        "source_mark": source_mark("upload", row.id),
        "source_key": row.object_key,
        "source_size": row.size,
        "source_sha256": row.sha256,
        "filename": row.filename,
    }


def _from_object(wired: Resources, caller: Caller, key: str) -> dict[str, Any]:
    if not caller.is_admin and not key.startswith(f"incoming/{caller.owner_id}/"):
        raise Forbidden(f"This key may name objects below incoming/{caller.owner_id}/ only.")
    stored = wired.store.stat(key)
    with wired.database.read() as session:
        limit = limits_of(session, caller.owner_id, wired.settings).source_bytes
    if stored.size > limit:
        raise UploadTooLarge(f"The object has {stored.size} bytes; the limit is {limit}.")
    return {
        "source_mark": source_mark("object", key, stored.size, stored.modified_at.isoformat()),
        "source_key": key,
        "source_size": stored.size,
        "filename": tidy_filename(key, "video"),
    }
