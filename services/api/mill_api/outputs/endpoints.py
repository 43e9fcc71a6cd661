"""What a job made: listed, and downloaded with a key."""

from __future__ import annotations

from pathlib import PurePosixPath
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from mill_api.auth import caller
from mill_api.links import public
from mill_api.openapi import operation
from mill_api.outputs.published import files_of, find_file, published_outputs
from mill_api.outputs.ranges import PARTIAL, PreconditionFailed, RangeNotSatisfiable, Served, serve
from mill_api.owners import owned_job
from mill_api.problems import NotFound
from mill_api.resources import resources
from mill_common.errors import StorageUnavailable
from mill_common.models import Job, Output
from mill_common.queue import JobNotFound
from mill_common.storage.base import LINK_MAX_S


class OutputNotFound(NotFound):
    """The job has no such output, or not yet."""

    code = "output_not_found"


class DownloadQuery(BaseModel):
    """How a file is handed over."""

    model_config = ConfigDict(extra="forbid")

    redirect: bool | None = Field(
        default=None, description="Whether to be sent to a signed URL of storage; `MILL_DOWNLOAD_REDIRECTS` if absent."
    )


class FileView(BaseModel):
    """One file that a job made."""

    name: str
    kind: str
    size: int = Field(description="Bytes.")
    content_type: str
    sha256: str | None = Field(description="null for a file of a stream.")
    url: str = Field(description="Signed; needs no key and expires.")


class FileList(BaseModel):
    """Every file that a job made."""

    job_id: UUID
    files: list[FileView]


@operation(tag="outputs", returns=FileList, raises=[JobNotFound])
def list_outputs(request: Request, job_id: UUID) -> FileList:
    """List every file of a job, those of its stream included. Empty until the job has completed."""
    wired = resources(request)
    expires_s = min(wired.settings.link_expires_s, LINK_MAX_S)
    files = [
        FileView(
            name=file.name,
            kind=file.kind,
            size=file.size,
            content_type=file.content_type,
            sha256=file.sha256,
            url=public(wired.settings, wired.store.presign_get(file.object_key, expires_s=expires_s)),
        )
        for file in files_of(_outputs(request, job_id)[1])
    ]
    return FileList(job_id=job_id, files=files)


@operation(
    tag="outputs",
    query=DownloadQuery,
    produces="*/*",
    also=PARTIAL | {302: "The file is at a signed URL of storage: `Location`."},
    raises=[JobNotFound, OutputNotFound, PreconditionFailed, RangeNotSatisfiable, StorageUnavailable],
)
def download(request: Request, job_id: UUID, name: str, query: DownloadQuery) -> Response:
    """Download one file, whole or in part, under the source's name.

    `name` is a file's name as listed, or one of `360p`, `720p` …, `audio`, `transcript_txt`, `transcript_srt`,
    `transcript_vtt`, `transcript_json`, `poster`.
    """
    job, outputs = _outputs(request, job_id)
    file = find_file(outputs, name)
    if file is None:
        raise OutputNotFound
    filename = f"{PurePosixPath(job.filename).stem}-{PurePosixPath(file.name).name}"
    wired = resources(request)
    redirects = wired.settings.download_redirects if query.redirect is None else query.redirect
    if redirects and request.method == "GET":  # a signature is for one method
        expires_s = min(wired.settings.link_expires_s, LINK_MAX_S)
        url = wired.store.presign_get(file.object_key, expires_s=expires_s, filename=filename)
        return Response(status_code=302, headers={"Location": public(wired.settings, url)})
    served = Served(
        key=file.object_key,
        size=file.size,
        content_type=file.content_type,
        etag=file.etag,
        modified_at=file.published_at,
        cache_control="private, max-age=0, must-revalidate",
        filename=filename,
    )
    return serve(request, wired.store, served)


def _outputs(request: Request, job_id: UUID) -> tuple[Job, list[Output]]:
    with resources(request).database.read() as session:
        job = owned_job(session, job_id, caller(request).owner_id)
        return job, published_outputs(session, job_id)
