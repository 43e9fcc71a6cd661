"""Sees to it that no action of an administrator and no refusal is missing in the audit log.

An entry is written for each answer to an administrators' operation that changes something and wrote none itself. Of
those that only read, refusals alone are written.
"""

from __future__ import annotations

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

from mill_api.audit.record import record_alone
from mill_api.callers import RUNS_THE_MILL
from mill_api.openapi import Operation
from mill_common.models import AuditOutcome

log = structlog.get_logger(__name__)
READS = ("GET", "HEAD")
REFUSED = (401, 403)


def lacks_entry(request: Request, status: int) -> bool:
    """Whether an answer of that status has to be written down and was not yet."""
    operation = getattr(request.state, "operation", None)
    if not isinstance(operation, Operation) or operation.scope not in RUNS_THE_MILL:
        return False
    is_refused = status in REFUSED
    return not (
        getattr(request.state, "audited", False) or status == 429 or (request.method in READS and not is_refused)
    )


def write_entry(request: Request, status: int) -> None:
    """Write it down. Blocks. An entry that cannot be written costs a warning, not the answer."""
    outcome = AuditOutcome.REFUSED if status in REFUSED else AuditOutcome.FAILED if status >= 400 else AuditOutcome.DONE
    target = "/".join(str(part) for part in request.path_params.values())[:255].replace("\0", "") or None
    try:
        record_alone(request, outcome, status, target=target)
    except SQLAlchemyError as error:
        action = request.state.operation.name
        log.warning("audit_entry_not_written", action=action, status=status, error=type(error).__name__)
