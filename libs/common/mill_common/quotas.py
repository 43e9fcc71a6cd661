"""What an owner uses, and what one may.

A limit of the owner's own counts before the server's. Whoever is about to use more locks the owner's row first, so that
requests side by side see what each other takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from sqlalchemy import func, select
from sqlmodel import Session, col

from mill_common.errors import PermanentError
from mill_common.models import Job, Owner, Upload
from mill_common.settings import Settings
from mill_common.states import JOB_ENDED, JobStatus


@dataclass(frozen=True)
class Numbers:
    """What a quota allows, what was used of it, and what was asked for besides."""

    limit: int
    used: int
    requested: int


class QuotaExceeded(PermanentError):
    """This would exceed a quota."""

    code = "quota_exceeded"
    status = 403

    def __init__(self, message: str | None = None, numbers: Numbers | None = None) -> None:
        super().__init__(message)
        self.quota = numbers


class StorageQuotaExceeded(QuotaExceeded):
    """The owner's storage quota has no room for this."""

    code = "storage_quota_exceeded"
    status = 413


class JobsQuotaExceeded(QuotaExceeded):
    """The owner has as many unfinished jobs as allowed."""

    code = "jobs_quota_exceeded"
    status = 429
    headers: ClassVar[Mapping[str, str]] = {"Retry-After": "30"}


@dataclass(frozen=True)
class Limits:
    """What one owner may. None is unlimited."""

    storage: int | None  # bytes
    jobs: int | None  # that have not ended
    source_bytes: int
    source_duration_s: float

    @classmethod
    def of(cls, owner: Owner | None, settings: Settings) -> Self:
        """The owner's own limits, and the server's where there are none."""
        own = owner or Owner(id="")
        return cls(
            storage=_first(own.storage_quota, settings.storage_quota),
            jobs=_first(own.jobs_quota, settings.jobs_quota),
            source_bytes=settings.max_source_bytes if own.max_source_bytes is None else own.max_source_bytes,
            source_duration_s=(
                settings.max_source_duration_s if own.max_source_duration_s is None else own.max_source_duration_s
            ),
        )


@dataclass(frozen=True)
class Usage:
    """What one owner uses."""

    upload_bytes: int  # those that are on their way included, at the size they were announced with
    output_bytes: int  # of every job, and sources that were fetched
    unended_jobs: int

    @property
    def stored_bytes(self) -> int:
        """Everything in storage."""
        return self.upload_bytes + self.output_bytes


def usage_of(session: Session, owner_id: str) -> Usage:
    """What an owner uses now: three sums, each over one index."""
    uploads = select(func.coalesce(func.sum(col(Upload.size)), 0)).where(col(Upload.owner_id) == owner_id)
    outputs = select(func.coalesce(func.sum(col(Job.stored_bytes)), 0)).where(col(Job.owner_id) == owner_id)
    return Usage(
        upload_bytes=int(session.scalar(uploads) or 0),
        output_bytes=int(session.scalar(outputs) or 0),
        unended_jobs=_unended(session, owner_id),
    )


def limits_of(session: Session, owner_id: str, settings: Settings) -> Limits:
    """What an owner may. One without a row yet has the server's limits."""
    return Limits.of(session.get(Owner, owner_id), settings)


def lock_owner(session: Session, owner_id: str) -> Owner:
    """The owner's row. Until the transaction ends nobody else gets it: SQLite has one writer anyway."""
    # Not the strongest lock: rows that merely name the owner may still be written.
    locked = select(Owner).where(col(Owner.id) == owner_id).with_for_update(key_share=True)
    return session.scalars(locked.execution_options(populate_existing=True)).one()


def make_room(session: Session, owner_id: str, size: int, settings: Settings) -> None:
    """Make sure that `size` more bytes may be stored; nobody else of the owner's can take their place meanwhile.

    Raises:
        StorageQuotaExceeded: They may not.
    """
    limit = Limits.of(lock_owner(session, owner_id), settings).storage
    if limit is not None:
        check_storage(limit, usage_of(session, owner_id).stored_bytes, size)


def check_storage(limit: int, used: int, size: int) -> None:
    """Raise `StorageQuotaExceeded` unless `size` more bytes fit."""
    if used + size > limit:
        raise StorageQuotaExceeded(
            f"The quota is {limit} bytes; {used} are used, so {size} more do not fit.", Numbers(limit, used, size)
        )


def admit_job(session: Session, owner: Owner, settings: Settings) -> dict[str, int | float]:
    """Make sure that one more job may run. Returns what its tasks must know of the limits.

    Raises:
        JobsQuotaExceeded: There are too many that have not ended.
        StorageQuotaExceeded: There is no room for anything that the job makes.
    """
    limits = Limits.of(owner, settings)
    known: dict[str, int | float] = {
        "max_source_bytes": limits.source_bytes,
        "max_source_duration_s": limits.source_duration_s,
    }
    if limits.jobs is not None and (open_ := _unended(session, owner.id)) >= limits.jobs:
        raise JobsQuotaExceeded(
            f"{open_} jobs have not ended yet; at most {limits.jobs} may.", Numbers(limits.jobs, open_, 1)
        )
    if limits.storage is not None:
        used = usage_of(session, owner.id).stored_bytes
        check_storage(limits.storage, used, 1)
        known["storage_left"] = limits.storage - used
    return known


def _unended(session: Session, owner_id: str) -> int:
    open_ = [status for status in JobStatus if status not in JOB_ENDED]
    counted = select(func.count()).where(col(Job.owner_id) == owner_id, col(Job.status).in_(open_))
    return int(session.scalar(counted) or 0)


def _first(own: int | None, default: int | None) -> int | None:
    return default if own is None else own
