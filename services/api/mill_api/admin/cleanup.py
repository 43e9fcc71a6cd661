"""A1, A2: the two sweeps, now instead of when they are due."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from mill_api.audit import record_alone
from mill_api.auth import ADMIN, OPERATOR
from mill_api.fields import Time
from mill_api.openapi import operation
from mill_api.rate_limits import Rate
from mill_api.resources import resources
from mill_common.cleanup import KEEP_DAYS, STUCK_MINUTES, delete_old_jobs, fail_stuck_jobs
from mill_common.errors import MillError
from mill_common.models import AuditOutcome
from mill_common.runs import begin_now, do, one_run
from mill_common.worker import worker_name


class CleanupFailed(MillError):
    """The cleanup did not come to its end."""

    code = "cleanup_failed"
    status = 503


class StuckQuery(BaseModel):
    """When a job counts as stuck."""

    model_config = ConfigDict(extra="forbid")

    stuck_threshold_minutes: int = Field(
        default=120, ge=STUCK_MINUTES[0], le=STUCK_MINUTES[-1], description="Without any progress for so long."
    )


class OldQuery(BaseModel):
    """When a job counts as old."""

    model_config = ConfigDict(extra="forbid")

    days_to_keep: int = Field(
        default=30, ge=KEEP_DAYS[0], le=KEEP_DAYS[-1], description="Jobs that ended in the last so many days stay."
    )


class StuckCleanup(BaseModel):
    """What was found stuck, and has failed now."""

    status: str = "completed"
    run_id: UUID = Field(description="Of the run, as `/monitoring/jobs/{id}` shows it.")
    stuck_count: int
    stuck_job_ids: list[UUID]
    cutoff_time: Time
    cleaned_at: Time


class OldCleanup(BaseModel):
    """What was old, and is gone now."""

    status: str = "completed"
    run_id: UUID
    deleted_count: int
    objects_deleted: int
    cutoff_date: date
    cleaned_at: Time


@operation(
    tag="admin",
    query=StuckQuery,
    returns=StuckCleanup,
    raises=[CleanupFailed],
    scope=OPERATOR,
    rate=Rate.ADMIN_CLEANUP,
)
def cleanup_stuck_jobs(request: Request, query: StuckQuery) -> StuckCleanup:
    """Fail the jobs in which nothing moves any more, now."""
    asked = {"stuck_after_minutes": query.stuck_threshold_minutes}
    run_id, cleaned_at, result = _sweep(request, "stuck_jobs", fail_stuck_jobs, asked)
    names = ("stuck_count", "stuck_job_ids", "cutoff_time")
    return StuckCleanup(run_id=run_id, cleaned_at=cleaned_at, **{name: result[name] for name in names})


@operation(
    tag="admin", query=OldQuery, returns=OldCleanup, raises=[CleanupFailed], scope=ADMIN, rate=Rate.ADMIN_CLEANUP
)
def cleanup_old_jobs(request: Request, query: OldQuery) -> OldCleanup:
    """Delete jobs that ended long ago, with their files, now."""
    run_id, cleaned_at, result = _sweep(request, "old_jobs", delete_old_jobs, {"keep_days": query.days_to_keep})
    names = ("deleted_count", "objects_deleted", "cutoff_date")
    return OldCleanup(run_id=run_id, cleaned_at=cleaned_at, **{name: result[name] for name in names})


def _sweep(request: Request, name: str, work: Any, asked: Mapping[str, int]) -> tuple[UUID, Any, Mapping[str, Any]]:
    wired = resources(request)
    lease_s = wired.settings.lease_s
    claim = wired.database.run(
        lambda session: begin_now(session, name, worker=worker_name("api"), parameters=asked, lease_s=lease_s)
    )
    # A gateway that ends leaves the run to its lease, and a watchdog does it again with the same parameters.
    result = do(
        wired.database,
        claim,
        lambda run: work(wired, run),
        lease_s=lease_s,
        heartbeat_s=wired.settings.heartbeat_s,
    )
    with wired.database.read() as session:
        run = one_run(session, claim.id)
    if result is None or run is None:
        raise CleanupFailed(run.error if run else None)
    record_alone(request, AuditOutcome.DONE, 200, target=name, after={**asked, **_shown(result)})
    return claim.id, run.finished_at, result


def _shown(result: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value[:100] if isinstance(value, list) else value for name, value in result.items()}
