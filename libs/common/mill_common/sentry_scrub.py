"""What may leave for Sentry: types, codes, places in our own code, names of steps, and times.

An error's words may hold a file's name, so only their kind leaves: the log has the rest, under the same job.
"""

from __future__ import annotations

import re
from typing import Any

from mill_common.errors import MillError
from mill_common.redact import redact

_CONTEXTS = ("trace", "runtime")
_DATA = ("messaging.", "http.request.method", "http.response.status_code", "db.system", "mill.")
_SHOWN_OPS = ("queue.", "db", "http.server", "schedule")
_LITERAL = re.compile(r"'(?:[^']|'')*'")


def scrub_error(event: Any, error: BaseException | None) -> Any:
    """An error's event without what it may know of people and files; grouped by its code if it has one."""
    _scrub_common(event)
    for shown in (event.get("exception") or {}).get("values") or ():
        shown["value"] = ""
    if isinstance(error, MillError):
        event["fingerprint"] = [error.code]
        event.setdefault("tags", {})["code"] = error.code
        event["exception"]["values"][-1]["value"] = (type(error).__doc__ or error.code).splitlines()[0]
    return redact(event)


def scrub_transaction(event: Any) -> Any:
    """A transaction's event with the names and figures of our own spans alone."""
    _scrub_common(event)
    for span in event.get("spans") or ():
        op = str(span.get("op") or "")
        text = span.get("description") if op.startswith(_SHOWN_OPS) else None
        span["description"] = _LITERAL.sub("'…'", text) if text else op
        span["data"] = _allowed(span.get("data"))
        span.pop("tags", None)
    return redact(event)


def _scrub_common(event: Any) -> None:
    for name in ("request", "user", "extra", "breadcrumbs", "threads"):
        event.pop(name, None)
    contexts = {name: found for name, found in (event.get("contexts") or {}).items() if name in _CONTEXTS}
    if "data" in contexts.get("trace", {}):
        contexts["trace"] = {**contexts["trace"], "data": _allowed(contexts["trace"]["data"])}
    event["contexts"] = contexts


def _allowed(data: Any) -> dict[str, Any]:
    return {name: value for name, value in (data or {}).items() if str(name).startswith(_DATA)}
