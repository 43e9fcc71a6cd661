"""One log line for each request, and its place in the metrics."""

from __future__ import annotations

import re
from typing import Any

import structlog
from starlette.types import Scope

from mill_api.openapi import Endpoint
from mill_common.log_files import PERFORMANCE
from mill_common.metrics.instruments import REQUEST_SECONDS

log = structlog.get_logger(__name__)
slow = structlog.get_logger(PERFORMANCE)

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# As long as the client's network takes: nothing of ours is slow then.
LONG = re.compile(r"/(objects|stream|api/v1/uploads|api/v1/events)/.*|.*/download/.*|/api/v1/uploads")


def tell(scope: Scope, status: int, seconds: float) -> None:
    """Log a request without its query or token, and observe how long it took."""
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
