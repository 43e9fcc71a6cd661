"""What a client asks for, and where its source lies."""

from __future__ import annotations

from typing import Annotated, Any, Self
from urllib.parse import unquote, urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from sqlmodel import col, or_, select

from mill_api.auth import Caller, Forbidden
from mill_api.deadline import Deadline, deadline_at
from mill_api.fields import LINE, tidy_filename
from mill_api.resources import Resources
from mill_api.room import UploadTooLarge
from mill_api.same_job import digest, source_mark, spec_hash
from mill_api.webhooks.request import JobWebhook
from mill_common.clock import db_now
from mill_common.errors import SourceMissing
from mill_common.models import Job, Upload
from mill_common.quotas import limits_of
from mill_common.spec import JobSpec
from mill_common.storage.keys import check_key

TEXT = r"^[^\x00]*$"  # NUL is valid in JSON and in no PostgreSQL text

MetadataKey = Annotated[str, Field(min_length=1, max_length=100, pattern=TEXT)]
MetadataValue = (
    Annotated[str, Field(max_length=1000, pattern=TEXT)]
    | bool
    | Annotated[int, Field(ge=-(2**53), le=2**53)]
    | Annotated[float, Field(allow_inf_nan=False)]
    | None
)


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


class JobRequest(BaseModel):
    """A video to be processed."""

    model_config = ConfigDict(extra="forbid")

    source: SourceRequest
    spec: JobSpec = JobSpec()
    priority: int = Field(default=5, ge=0, le=9, description="9 goes first.")
    metadata: dict[MetadataKey, MetadataValue] = Field(
        default_factory=dict, max_length=50, description="The client's own; given back unchanged."
    )
    webhook: JobWebhook | None = Field(default=None, description="A URL to be told of this job alone.")

    collection: Annotated[str, Field(min_length=1, max_length=64, pattern=LINE)] | None = Field(
        default=None, description="A name of the client's own under which the job is filed."
    )
    deadline: Deadline = Field(
        default=None, description="A time, or seconds from now. A job that has not ended by then fails."
    )
    force: bool = Field(
        default=False, description="Make a new job even if one makes the same outputs of the same source."
    )

    def digest(self) -> str:
        """SHA-256 of what is asked for, hexadecimal; the same however it is written down, and whatever the upload."""
        # Without defaults: a version that adds a field still knows the requests of the one before.
        return digest(self.model_dump(mode="json", exclude={"source": {"upload_id"}}, exclude_defaults=True))


def new_job(wired: Resources, caller: Caller, body: JobRequest, idempotency_key: str | None) -> Job:
    """The row for a request, not yet written.

    Raises:
        SourceMissing: The source is not there, or is another owner's.
        Forbidden: The object is outside what the key may name.
        UploadTooLarge: The object exceeds the limit.
        RequestInvalid: The deadline has passed.
    """
    with wired.database.read() as session:
        ends_at = deadline_at(session, body.deadline)
    return Job(
        owner_id=caller.owner_id,
        priority=body.priority,
        spec=body.spec.model_dump(mode="json"),
        user_metadata=dict(body.metadata),
        collection=body.collection,
        deadline_at=ends_at,
        spec_hash=spec_hash(body.spec),
        idempotency_key=idempotency_key,
        request_hash=body.digest(),
        **_source(wired, caller, body.source),
    )


def _source(wired: Resources, caller: Caller, source: SourceRequest) -> dict[str, Any]:
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
    used = select(Job.id).where(col(Job.upload_id) == col(Upload.id)).exists()
    with wired.database.read() as session:
        row = session.exec(
            select(Upload).where(
                col(Upload.id) == upload_id,
                col(Upload.owner_id) == owner_id,
                col(Upload.completed_at).is_not(None),
                or_(unexpired, used),
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
