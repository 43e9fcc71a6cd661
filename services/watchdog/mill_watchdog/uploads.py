"""Uploads that nobody made a job of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlmodel import col

from mill_common.clock import db_now
from mill_common.models import Upload
from mill_common.resources import Resources
from mill_common.runs import Result, Run
from mill_common.uploaded import delete_upload_objects, in_use

AT_ONCE = 100


def expire_uploads(resources: Resources, run: Run) -> Result:
    """Remove expired uploads that no job uses, with their objects.

    The object goes before the row: whoever is killed in between leaves a row that the next sweep finds again. Nobody
    can make a job of it meanwhile, because an expired upload is refused.

    Raises:
        StorageUnavailable: Storage does not answer; what it did not remove keeps its row.
    """
    while expired := _expired(resources):
        run.expect(len(expired))
        _remove(resources, expired)
        run.count(succeeded=len(expired))
    return {"deleted_count": run.counts.succeeded}


def _remove(resources: Resources, expired: Sequence[Upload]) -> None:
    delete_upload_objects(resources.store, expired)
    removed = delete(Upload).where(col(Upload.id).in_([upload.id for upload in expired]))
    resources.database.run(lambda session: session.execute(removed))


def _expired(resources: Resources) -> Sequence[Upload]:
    unwanted = select(Upload).where(col(Upload.expires_at) < db_now(), ~in_use())
    with resources.database.read() as session:
        return session.scalars(unwanted.order_by(col(Upload.expires_at)).limit(AT_ONCE)).all()
