"""Whether this process lives, whether it can take work, and how everything is that it needs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request

from mill_api.auth import VIEWER
from mill_api.openapi import operation
from mill_api.rate_limits import Rate
from mill_api.resources import signs
from mill_common.errors import MillError
from mill_common.health.report import Status


class NotReady(MillError):
    """This server cannot take work now."""

    code = "not_ready"
    status = 503


class Health(BaseModel):
    """This process answers."""

    status: Literal["healthy"] = "healthy"


class Ready(BaseModel):
    """Work is taken."""

    status: Literal["ready"] = "ready"


class CheckView(BaseModel):
    """Something that was looked at."""

    component: str
    status: Status
    message: str
    details: dict[str, Any]
    response_time_ms: float


class HealthReport(BaseModel):
    """Everything that was looked at, all at once."""

    overall_status: Status = Field(
        description="critical without something that nothing works without; degraded without anything else"
    )
    timestamp: datetime
    total_check_time_ms: float
    checks: list[CheckView]
    summary: dict[str, int] = Field(description="total_checks, and how many checks there are in each status")


@operation(tag="health", scope=None, rate=Rate.UNLIMITED, returns=Health)
def health(_request: Request) -> Health:
    """Say that this process answers."""
    return Health()


@operation(tag="health", scope=None, rate=Rate.UNLIMITED, returns=Health)
def livez(_request: Request) -> Health:
    """Say that this process answers."""
    return Health()


@operation(tag="monitoring", scope=None, rate=Rate.UNLIMITED, returns=Health)
def monitoring_health(_request: Request) -> Health:
    """Say that this process answers."""
    return Health()


@operation(tag="health", scope=None, rate=Rate.UNLIMITED, returns=Ready, raises=[NotReady])
def readyz(request: Request) -> Ready:
    """Say whether work is taken: the database is there and current, and storage answers."""
    fault = signs(request).readiness.fault()
    if fault is not None:
        raise NotReady(fault)
    return Ready()


@operation(tag="health", scope=VIEWER, returns=HealthReport)
def detailed_health(request: Request) -> HealthReport:
    """Say how everything is that the system needs.

    A report is up to a minute old (`MILL_HEALTH_CACHE_S`). The status is 200 whatever it says.
    """
    return _report(request)


@operation(tag="monitoring", scope=VIEWER, returns=HealthReport)
def monitoring_health_detailed(request: Request) -> HealthReport:
    """Say how everything is that the system needs."""
    return _report(request)


def _report(request: Request) -> HealthReport:
    return HealthReport.model_validate(signs(request).checkup.report().to_json())
