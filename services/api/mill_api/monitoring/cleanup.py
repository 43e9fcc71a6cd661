"""Monitoring's own past is forgotten."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field
from sqlmodel import Session
from starlette.requests import Request

from mill_api.audit import record
from mill_api.auth import ADMIN
from mill_api.openapi import operation
from mill_api.rate_limits import Rate
from mill_api.resources import resources
from mill_common.runs import forget_runs
from mill_common.samples.history import forget_samples


class KeepQuery(BaseModel):
    """What stays."""

    model_config = ConfigDict(extra="forbid")

    days_to_keep: int = Field(default=30, ge=1, le=365, description="Runs that ended in the last so many days.")


class Forgotten(BaseModel):
    """What was removed."""

    status: str = "completed"
    runs_deleted: int
    samples_deleted: int = Field(description="System metrics older than `MILL_SAMPLES_KEEP_HOURS`.")


@operation(tag="monitoring", query=KeepQuery, returns=Forgotten, scope=ADMIN, rate=Rate.ADMIN_CLEANUP)
def cleanup_monitoring(request: Request, query: KeepQuery) -> Forgotten:
    """Remove old runs and old system metrics. Jobs and the audit log stay."""
    hours = resources(request).settings.samples_keep_hours

    def work(session: Session) -> Forgotten:
        gone = Forgotten(
            runs_deleted=forget_runs(session, keep_days=query.days_to_keep),
            samples_deleted=forget_samples(session, keep_hours=hours),
        )
        record(session, request, target="monitoring", after={**gone.model_dump(), "days_to_keep": query.days_to_keep})
        return gone

    return resources(request).database.run(work)
