"""What uploads leave in storage."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import ColumnElement, or_, select
from sqlmodel import col

from mill_common.models import Job, JobSource, Upload
from mill_common.storage import ObjectStore


def in_use() -> ColumnElement[bool]:
    """Whether a job was made of an upload, alone or with others."""
    alone = select(col(Job.id)).where(col(Job.upload_id) == col(Upload.id))
    with_others = select(col(JobSource.job_id)).where(col(JobSource.upload_id) == col(Upload.id))
    return or_(alone.exists(), with_others.exists())


def tails_of(upload_id: UUID) -> str:
    """The prefix of what did not fill a part of a resumable upload when its request ended."""
    return f"tails/{upload_id}/"


def delete_upload_objects(store: ObjectStore, uploads: Sequence[Upload]) -> None:
    """Remove uploads from storage, those that are on their way included.

    Raises:
        StorageUnavailable: Not everything was removed; it can be done again.
    """
    for upload in uploads:
        if upload.multipart_id is None:
            continue
        if upload.completed_at is None:
            store.abort_multipart(upload.object_key, upload.multipart_id)
        store.delete([tail.key for tail in store.list(tails_of(upload.id))])
    store.delete([upload.object_key for upload in uploads])
