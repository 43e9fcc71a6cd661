"""A job's metadata in rows of their own, for whoever looks for jobs by them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert
from sqlmodel import Session, col

from mill_common.models import JobLabel
from mill_common.models.labels import LABEL_LENGTH


def write_labels(session: Session, job_id: UUID, owner_id: str, metadata: Mapping[str, Any]) -> None:
    """Let a job be found by its metadata, and by nothing that they said before."""
    session.execute(delete(JobLabel).where(col(JobLabel.job_id) == job_id))
    rows = [
        {"job_id": job_id, "name": name, "owner_id": owner_id, "value": value}
        for name, value in ((name, _text(value)) for name, value in metadata.items())
        if len(value) <= LABEL_LENGTH
    ]
    if rows:
        session.execute(insert(JobLabel), rows)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
