"""What uploads leave in storage."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from mill_common.models import Upload
from mill_common.storage import ObjectStore


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
