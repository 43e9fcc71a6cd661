"""Sees to it that no action of an administrator and no refusal is missing in the audit log."""

from __future__ import annotations

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mill_api.audit.record import record_alone
from mill_api.callers import RUNS_THE_MILL
from mill_api.openapi import Operation
from mill_common.models import AuditOutcome

log = structlog.get_logger(__name__)
READS = ("GET", "HEAD")
REFUSED = (401, 403)


class Auditing:
    """Writes an entry for each answer to an administrators' operation that changes something and wrote none itself.

    Of those that only read, refusals alone are written. The entry is there before the answer is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)

        async def audited_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                await run_in_threadpool(_note, request, message["status"])
            await send(message)

        try:
            await self._app(scope, receive, audited_send)
        except Exception:
            await run_in_threadpool(_note, request, 500)
            raise


def _note(request: Request, status: int) -> None:
    operation = getattr(request.state, "operation", None)
    if not isinstance(operation, Operation) or operation.scope not in RUNS_THE_MILL:
        return
    is_refused = status in REFUSED
    if getattr(request.state, "audited", False) or status == 429 or (request.method in READS and not is_refused):
        return
    outcome = AuditOutcome.REFUSED if is_refused else AuditOutcome.FAILED if status >= 400 else AuditOutcome.DONE
    target = "/".join(str(part) for part in request.path_params.values())[:255].replace("\0", "") or None
    try:
        record_alone(request, outcome, status, target=target)
    except SQLAlchemyError as error:
        log.warning("audit_entry_not_written", action=operation.name, status=status, error=type(error).__name__)
