"""Headers that every answer carries, and one log line for each."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mill_api.openapi import Endpoint
from mill_api.openapi.endpoint import OWN_HEADERS
from mill_api.problems import of_accident
from mill_common.log_files import PERFORMANCE
from mill_common.metrics.instruments import REQUEST_SECONDS, REQUESTS_UNDER_WAY

log = structlog.get_logger(__name__)
slow = structlog.get_logger(PERFORMANCE)

SECURITY: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# As long as the client's network takes: nothing of ours is slow then.
LONG = re.compile(r"/(objects|stream|api/v1/uploads|api/v1/events)/.*|.*/download/.*|/api/v1/uploads")
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class CommonHeaders:
    """Adds what a handler has not set itself, names the request, and logs it without query or token."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
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
        REQUESTS_UNDER_WAY.inc()
        with structlog.contextvars.bound_contextvars(request_id=request_id, trace_id=_trace_id(headers)):
            try:
                await self._app(scope, receive, with_headers)
            except Exception as error:
                # Starlette would answer outside of this, without the headers. Raised again for the server's log.
                if not status:
                    await of_accident(Request(scope), error)(scope, receive, with_headers)
                raise
            finally:
                REQUESTS_UNDER_WAY.dec()
                _tell(scope, status, time.perf_counter() - began)


def _trace_id(headers: Headers) -> str:
    """The caller's trace (W3C Trace Context), or one of this request's own."""
    known = _TRACE_PARENT.fullmatch(headers.get("traceparent", ""))
    return known[1] if known and set(known[1]) != {"0"} else uuid4().hex


def _tell(scope: Scope, status: int, seconds: float) -> None:
    method, path = scope["method"], _path(scope)
    told: dict[str, Any] = {"method": method, "path": path, "status": status, "seconds": round(seconds, 4)}
    log.info("request", **told)
    endpoint = scope.get("endpoint")
    # The path as it is written in the interface, not as it was asked for: that holds ids.
    route = endpoint.path if isinstance(endpoint, Endpoint) else "other"
    known = method if isinstance(endpoint, Endpoint) and method in METHODS else "other"
    REQUEST_SECONDS.labels(known, route, f"{status // 100}xx").observe(seconds)
    if seconds >= scope["app"].state.resources.settings.slow_request_s and not LONG.fullmatch(route):
        slow.warning("slow_request", **told)


def _path(scope: Scope) -> str:
    # The path of a stream or an object leads to it together with its signature; neither is written down.
    path: str = scope["path"]
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return f"/{first}/…" if first in ("stream", "objects") else path
