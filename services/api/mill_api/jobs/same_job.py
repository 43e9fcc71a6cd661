"""What tells that two requests ask for the same job, though neither says so with a key."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from mill_common.models import Job
from mill_common.spec import JobSpec
from mill_common.states import JOB_ENDED, JobStatus

USELESS = (JobStatus.FAILED, JobStatus.CANCELLED)


def spec_hash(spec: JobSpec) -> str:
    """The same for specs that ask for the same outputs. What is left out and what is given as its default are one."""
    return digest(spec.model_dump(mode="json", exclude_defaults=True))


def source_mark(kind: str, *facts: Any) -> str:
    """The same for a source that was the same as far as can be told without reading it."""
    return digest([kind, *map(str, facts)])


def same_job(session: Session, wanted: Job, *, may_change: bool) -> UUID | None:
    """The owner's latest job that makes the same outputs of the same source, if it is of any use.

    A failed or cancelled job is of none. What lies at a URL `may_change`, so there only a job that has not ended
    counts. The owner's row must be locked, or another request may be about to make the same job.
    """
    if wanted.spec_hash is None:
        return None
    of_owner = select(Job.id).where(
        col(Job.owner_id) == wanted.owner_id,
        col(Job.spec_hash) == wanted.spec_hash,
        col(Job.status).not_in(USELESS),
    )
    if wanted.source_mark is not None:
        marked = of_owner.where(col(Job.source_mark) == wanted.source_mark)
        found = _latest(session, marked.where(col(Job.status).not_in(JOB_ENDED)) if may_change else marked)
        if found is not None:
            return found
    if wanted.source_sha256 is None:
        return None
    return _latest(session, of_owner.where(col(Job.source_sha256) == wanted.source_sha256))


def _latest(session: Session, jobs: SelectOfScalar[UUID]) -> UUID | None:
    return session.exec(jobs.order_by(col(Job.id).desc()).limit(1)).first()


def digest(plain: Any) -> str:
    """SHA-256 of plain values, hexadecimal; the same however they are written down."""
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
