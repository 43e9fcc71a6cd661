"""What a client asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from mill_api.auth import Caller
from mill_api.fields import CollectionName
from mill_api.jobs.deadline import Deadline, deadline_at
from mill_api.jobs.same_job import digest, spec_hash
from mill_api.jobs.several import find_sources
from mill_api.jobs.source import SourceRequest, find_source
from mill_api.resources import Resources
from mill_api.webhooks.request import JobWebhook
from mill_common.ids import uuid7
from mill_common.merging import FEWEST, MOST
from mill_common.models import Job, JobSource
from mill_common.spec import JobSpec

TEXT = r"^[^\x00]*$"  # NUL is valid in JSON and in no PostgreSQL text


def _exact(given: Any) -> Any:
    # As a floating-point number it would come back as another one.
    if isinstance(given, int) and not isinstance(given, bool):
        raise ValueError("whole numbers lie between -2**53 and 2**53")  # noqa: TRY004 - pydantic wants it
    return given


MetadataKey = Annotated[str, Field(min_length=1, max_length=100, pattern=TEXT)]
MetadataValue = (
    Annotated[str, Field(max_length=1000, pattern=TEXT)]
    | bool
    | Annotated[int, Field(ge=-(2**53), le=2**53)]
    | Annotated[float, BeforeValidator(_exact), Field(allow_inf_nan=False)]
    | None
)


_UPLOADS: dict[str, Any] = {"source": {"upload_id"}, "sources": {"__all__": {"upload_id"}}}
_ONE_OF_THEM: dict[str, Any] = {
    "oneOf": [
        {"required": ["source"], "properties": {"source": {"type": "object"}}},
        {"required": ["sources"], "properties": {"sources": {"type": "array"}}},
    ],
    "examples": [
        {"source": {"url": "https://media.example.org/clip.mp4"}},
        {"sources": [{"url": "https://media.example.org/a.mp4"}, {"url": "https://media.example.org/b.mp4"}]},
    ],
}


class JobRequest(BaseModel):
    """A video to be processed, or several to be merged into one: either `source` or `sources`."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_ONE_OF_THEM)

    source: SourceRequest | None = None
    sources: list[SourceRequest] | None = Field(
        default=None,
        validate_default=True,
        min_length=FEWEST,
        max_length=MOST,
        description="Several videos, merged into one in this order. One may be named more than once.",
    )
    spec: JobSpec = JobSpec()
    priority: int = Field(default=5, ge=0, le=9, description="9 goes first.")
    metadata: dict[MetadataKey, MetadataValue] = Field(
        default_factory=dict, max_length=50, description="The client's own; given back unchanged."
    )
    webhook: JobWebhook | None = Field(default=None, description="A URL to be told of this job alone.")
    collection: CollectionName | None = Field(
        default=None, description="A name of the client's own under which the job is filed."
    )
    deadline: Deadline = Field(
        default=None, description="A time, or seconds from now. A job that has not ended by then fails."
    )
    force: bool = Field(
        default=False, description="Make a new job even if one makes the same outputs of the same source."
    )

    @field_validator("sources")
    @classmethod
    def _one_or_several(cls, sources: list[SourceRequest] | None, info: ValidationInfo) -> list[SourceRequest] | None:
        if "source" in info.data and (info.data["source"] is None) == (sources is None):
            raise ValueError("give either source or sources" + (", not both" if sources else ""))
        return sources

    def digest(self) -> str:
        """SHA-256 of what is asked for, hexadecimal; the same however it is written down, and whatever the upload."""
        # Without defaults: a version that adds a field still knows the requests of the one before.
        return digest(self.model_dump(mode="json", exclude=_UPLOADS, exclude_defaults=True))


@dataclass(frozen=True)
class NewJob:
    """The rows of a job that are not written yet."""

    job: Job
    sources: list[JobSource]  # if they are several

    @property
    def may_change(self) -> bool:
        """Whether what lies where a source was named may be another one later."""
        return self.job.source_url is not None or any(source.url is not None for source in self.sources)


def new_job(wired: Resources, caller: Caller, body: JobRequest, idempotency_key: str | None) -> NewJob:
    """The rows for a request.

    Raises:
        SourceMissing: The source is not there, or is another owner's.
        Forbidden: The object is outside what the key may name.
        UploadTooLarge: The object exceeds the limit, or all sources together do.
        RequestInvalid: The deadline has passed.
    """
    with wired.database.read() as session:
        ends_at = deadline_at(session, body.deadline)
    job_id, several = uuid7(), list[JobSource]()
    if body.source is not None:
        source = find_source(wired, caller, body.source)
    else:
        source, several = find_sources(wired, caller, job_id, body.sources or [])
    job = Job(
        id=job_id,
        owner_id=caller.owner_id,
        priority=body.priority,
        spec=body.spec.model_dump(mode="json"),
        user_metadata=dict(body.metadata),
        collection=body.collection,
        deadline_at=ends_at,
        spec_hash=spec_hash(body.spec),
        idempotency_key=idempotency_key,
        request_hash=body.digest(),
        **source,
    )
    return NewJob(job, several)
