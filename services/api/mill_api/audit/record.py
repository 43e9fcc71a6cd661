"""Writes entries of the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from pydantic_core import to_jsonable_python
from sqlmodel import Session
from starlette.requests import Request

from mill_api.callers import Caller
from mill_api.resources import resources
from mill_common.models import AuditEntry, AuditOutcome

NOBODY = "nobody"


def record(
    session: Session,
    request: Request,
    *,
    target: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    actor: str | None = None,
) -> None:
    """Write what is done into the log, in the transaction that does it. No secret belongs in `before` or `after`."""
    said = {"target": target, "before": _plain(before), "after": _plain(after)}
    session.add(_entry(request, AuditOutcome.DONE, request.state.operation.status, actor=actor, **said))
    request.state.audited = True


def record_alone(
    request: Request, outcome: AuditOutcome, status: int, *, actor: str | None = None, **said: Any
) -> None:
    """Write an entry in a transaction of its own: of what was refused, failed, or spoke for itself."""
    with resources(request).database.write() as session:
        session.add(_entry(request, outcome, status, actor=actor, **said))
    request.state.audited = True


def actor_of(request: Request) -> str:
    """Who asks, as the log names them."""
    caller = getattr(request.state, "caller", None)
    return caller.name if isinstance(caller, Caller) else NOBODY


def _entry(request: Request, outcome: AuditOutcome, status: int, *, actor: str | None, **said: Any) -> AuditEntry:
    return AuditEntry(
        actor=actor or actor_of(request),
        action=request.state.operation.name[:64],
        outcome=outcome,
        status=status,
        address=request.client.host[:64] if request.client else "",
        request_id=structlog.contextvars.get_contextvars().get("request_id"),
        **said,
    )


def _plain(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else to_jsonable_python(dict(values))
