"""Headers that every answer carries, and one log line for each."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mill_api.openapi.endpoint import OWN_HEADERS
from mill_api.problems import of_accident

log = structlog.get_logger(__name__)

SECURITY: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class CommonHeaders:
    """Adds what a handler has not set itself, names the request, and logs it without query or token."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else uuid4().hex
        status = 0

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.update(scope.get(OWN_HEADERS, {}))
                for kind in ("rate_headers", "deprecation_headers"):
                    headers.update(scope.get("state", {}).get(kind, {}))
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        began = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, with_headers)
            except Exception as error:
                # Starlette would answer outside of this, without the headers. Raised again for the server's log.
                if not status:
                    await of_accident(Request(scope), error)(scope, receive, with_headers)
                raise
            finally:
                seconds = round(time.perf_counter() - began, 4)
                log.info("request", method=scope["method"], path=_path(scope), status=status, seconds=seconds)


def _path(scope: Scope) -> str:
    # The path of a stream or an object leads to it together with its signature; neither is written down.
    path: str = scope["path"]
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return f"/{first}/…" if first in ("stream", "objects") else path
