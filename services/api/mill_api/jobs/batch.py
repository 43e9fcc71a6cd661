"""The status of many jobs in one call."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlmodel import col
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.jobs.summary import COLUMNS, JobSummary, summary
from mill_api.openapi import Written, operation
from mill_api.resources import resources
from mill_common.models import Job


class BatchRequest(BaseModel):
    """Which jobs."""

    model_config = ConfigDict(extra="forbid")

    job_ids: Annotated[list[UUID], Field(min_length=1, max_length=500)]


class BatchStatus(BaseModel):
    """The jobs in the order asked for, each once."""

    jobs: list[JobSummary]
    not_found: list[UUID] = Field(description="Of these there is none, or it is another owner's.")


@operation(tag="jobs", body=BatchRequest, returns=BatchStatus)
def batch_status(request: Request, body: BatchRequest) -> Written[BatchStatus]:
    """Look at up to 500 jobs at once."""
    asked = list(dict.fromkeys(body.job_ids))
    own = col(Job.owner_id) == caller(request).owner_id
    with resources(request).database.read() as session:
        rows = session.execute(select(*COLUMNS).where(col(Job.id).in_(asked), own)).all()
    found = {row.id: summary(row) for row in rows}
    return Written(
        BatchStatus,
        {
            "jobs": [found[job_id] for job_id in asked if job_id in found],
            "not_found": [str(job_id) for job_id in asked if job_id not in found],
        },
    )
