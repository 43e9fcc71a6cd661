"""Headers that every answer carries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from uuid import uuid4

from starlette.datastructures import Headers
from starlette.types import Scope

from mill_api.openapi.endpoint import OWN_HEADERS

SECURITY: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

Raw = tuple[bytes, bytes]


def _raw(name: str, value: str) -> Raw:
    return name.lower().encode("latin-1"), value.encode("latin-1")


_SECURITY = [_raw(*header) for header in SECURITY.items()]


def complete(headers: list[Raw], scope: Scope, request_id: str) -> None:
    """Add to an answer's headers what its handler has not set itself, and set what is not for it to choose."""
    ours = [_raw("x-request-id", request_id)]
    state = scope.get("state", {})
    for more in (scope.get(OWN_HEADERS), state.get("rate_headers"), state.get("deprecation_headers")):
        if more:
            ours += [_raw(*header) for header in more.items()]
    replaced = {name for name, _ in ours}
    headers[:] = [header for header in headers if header[0] not in replaced]
    headers += ours
    present = {name for name, _ in headers}
    headers += [header for header in _SECURITY if header[0] not in present]


def request_id_of(headers: Headers) -> str:
    """The caller's name for the request, or one of our own."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid4().hex


def trace_id_of(headers: Headers) -> str:
    """The caller's trace (W3C Trace Context), or one of this request's own."""
    known = _TRACE_PARENT.fullmatch(headers.get("traceparent", ""))
    return known[1] if known and set(known[1]) != {"0"} else uuid4().hex
