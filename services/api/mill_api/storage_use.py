"""What an owner's files take up."""

from __future__ import annotations

from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlmodel import Session, col

from mill_common.models import Job, Output, Owner, Upload


class StorageUse(BaseModel):
    """What an owner's files take up in storage, in bytes."""

    used_bytes: int
    upload_bytes: int = Field(description="Sources that were handed in, those on their way included.")
    output_bytes: int = Field(description="What jobs made.")
    quota_bytes: int | None = Field(description="How much may be used; null without a limit.")


def storage_use(session: Session, owner_id: str) -> StorageUse:
    """What an owner uses now."""
    uploads = session.scalar(select(func.sum(Upload.size)).where(col(Upload.owner_id) == owner_id))
    # Job by job through an index: outputs know no owner.
    made = select(func.sum(Output.size)).where(col(Output.job_id) == col(Job.id)).scalar_subquery()
    outputs = session.scalar(select(func.sum(made)).where(col(Job.owner_id) == owner_id))
    owner = session.get(Owner, owner_id)
    return StorageUse(
        used_bytes=int(uploads or 0) + int(outputs or 0),
        upload_bytes=int(uploads or 0),
        output_bytes=int(outputs or 0),
        quota_bytes=owner.storage_quota if owner else None,
    )
