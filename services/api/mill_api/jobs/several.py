"""Several sources that are to become one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from mill_api.auth import Caller
from mill_api.jobs.same_job import source_mark
from mill_api.jobs.source import SourceRequest, find_source
from mill_api.resources import Resources
from mill_api.uploads.room import UploadTooLarge
from mill_common.merging import naming
from mill_common.models import JobSource
from mill_common.quotas import limits_of


def find_sources(
    wired: Resources, caller: Caller, job_id: UUID, asked: Sequence[SourceRequest]
) -> tuple[dict[str, Any], list[JobSource]]:
    """What a job's row says of its sources together, and a row for each.

    Raises:
        SourceMissing: One is not there, or is another owner's.
        Forbidden: One is outside what the key may name.
        UploadTooLarge: One exceeds the limit, or all together do.
    """
    found = [_found(wired, caller, position, source) for position, source in enumerate(asked)]
    _refuse_excess(wired, caller, sum(each.get("source_size") or 0 for each in found))
    mark = source_mark("several", *(each.get("source_sha256") or each["source_mark"] for each in found))
    rows = [
        JobSource(
            job_id=job_id,
            position=position,
            upload_id=each.get("upload_id"),
            filename=each["filename"],
            object_key=each.get("source_key"),
            url=each.get("source_url"),
            size=each.get("source_size"),
            sha256=each.get("source_sha256"),
        )
        for position, each in enumerate(found)
    ]
    return {"filename": found[0]["filename"], "source_mark": mark}, rows


def _found(wired: Resources, caller: Caller, position: int, source: SourceRequest) -> dict[str, Any]:
    named = str(source.upload_id or source.object_key or "URL")
    with naming(position, named):
        return find_source(wired, caller, source)


def _refuse_excess(wired: Resources, caller: Caller, size: int) -> None:
    with wired.database.read() as session:
        limit = limits_of(session, caller.owner_id, wired.settings).source_bytes
    if size > limit:
        raise UploadTooLarge(f"The sources have {size} bytes together; the limit is {limit}.")
