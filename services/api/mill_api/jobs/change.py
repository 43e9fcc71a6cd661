"""What may be changed of a job that is there."""

from __future__ import annotations

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from sqlalchemy import update
from sqlmodel import Session, col
from starlette.requests import Request

from mill_api.auth import caller
from mill_api.fields import CollectionName
from mill_api.jobs.labels import write_labels
from mill_api.jobs.models import JobView
from mill_api.jobs.request import MetadataKey, MetadataValue
from mill_api.jobs.view import read_view
from mill_api.openapi import Written, operation
from mill_api.owners import owned_job
from mill_api.resources import resources
from mill_common.clock import db_now
from mill_common.models import Job
from mill_common.queue import JobEnded, JobNotFound, change_priority


class JobChange(BaseModel):
    """What is to be different. What is left out stays as it is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"minProperties": 1})

    priority: Annotated[int, Field(ge=0, le=9)] = Field(default=5, description="9 goes first.")
    collection: CollectionName | None = Field(default=None, description="null takes the job out of its collection.")
    metadata: dict[MetadataKey, MetadataValue] = Field(
        default_factory=dict, max_length=50, description="Takes the place of everything that was there."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("give at least one of priority, collection and metadata")
        return self


@operation(tag="jobs", body=JobChange, returns=JobView, raises=[JobNotFound, JobEnded])
def change_job(request: Request, job_id: UUID, body: JobChange) -> Written[JobView]:
    """Change a job's priority, collection or metadata.

    The priority is that of everything that has not begun yet, so it can be changed until the job has ended; the others
    at any time.
    """
    wired = resources(request)
    owner_id = caller(request).owner_id
    given = body.model_fields_set

    def work(session: Session) -> frozenset[str]:
        owned_job(session, job_id, owner_id)
        queues = frozenset[str]()
        if "priority" in given:
            queues = change_priority(session, job_id, body.priority, wired.queue.policy)
        if values := _described(body):
            session.execute(update(Job).where(col(Job.id) == job_id).values(**values, updated_at=db_now()))
        if "metadata" in given:
            write_labels(session, job_id, owner_id, body.metadata)
        return queues

    for queue in wired.database.run(work):
        wired.dispatcher.wake(queue)
    return read_view(request, job_id)


def _described(body: JobChange) -> dict[str, Any]:
    """The columns that only describe the job."""
    columns = {"collection": "collection", "metadata": "user_metadata"}
    return {column: getattr(body, name) for name, column in columns.items() if name in body.model_fields_set}
