"""Uploads that are announced before their bytes come: their size takes its room at once."""

from __future__ import annotations

from sqlmodel import SQLModel

from mill_api.owners import ensure_owner
from mill_api.resources import Resources
from mill_api.uploads.endpoints import expiry
from mill_common.models import Upload
from mill_common.quotas import make_room


def remember(wired: Resources, row: Upload, *more: SQLModel) -> Upload:
    """Write the row of an upload, and rows that belong to it. If that fails, nothing is left in storage either.

    Raises:
        StorageQuotaExceeded: There is no room for it.
    """
    try:
        with wired.database.write() as session:
            ensure_owner(session, row.owner_id)
            make_room(session, row.owner_id, row.size, wired.settings)
            row.expires_at = expiry(session, wired)
            session.add(row)
            session.flush()
            session.add_all(more)
            session.flush()
            session.refresh(row)
    except BaseException:
        if row.multipart_id is not None:
            wired.store.abort_multipart(row.object_key, row.multipart_id)
        raise
    return row
