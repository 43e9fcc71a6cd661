"""What an owner's files take up."""

from __future__ import annotations

from pydantic import BaseModel, Field
from sqlmodel import Session

from mill_common.quotas import limits_of, usage_of
from mill_common.settings import Settings


class StorageUse(BaseModel):
    """What an owner's files take up in storage, in bytes."""

    used_bytes: int
    upload_bytes: int = Field(description="Sources that were handed in, those on their way included.")
    output_bytes: int = Field(description="What jobs made.")
    quota_bytes: int | None = Field(description="How much may be used; null without a limit.")


def storage_use(session: Session, owner_id: str, settings: Settings) -> StorageUse:
    """What an owner uses now."""
    usage = usage_of(session, owner_id)
    return StorageUse(
        used_bytes=usage.stored_bytes,
        upload_bytes=usage.upload_bytes,
        output_bytes=usage.output_bytes,
        quota_bytes=limits_of(session, owner_id, settings).storage,
    )
