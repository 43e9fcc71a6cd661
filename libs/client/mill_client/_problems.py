"""From a refusing response to the error it stands for. Servers, proxies and strangers all answer here."""

from __future__ import annotations

from typing import Any

import httpx

from ._retries import retry_after_s
from .errors import (
    ApiError,
    ChecksumMismatch,
    Conflict,
    Forbidden,
    IdempotencyMismatch,
    Invalid,
    LinkExpired,
    Locked,
    NotFound,
    QuotaExceeded,
    RateLimited,
    ServerError,
    SourceRefused,
    Unauthenticated,
    Unavailable,
)

_BY_STATUS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    423: Locked,
    429: RateLimited,
    460: ChecksumMismatch,
    503: Unavailable,
}
# A code says more than its status.
_BY_CODE: dict[str, type[ApiError]] = {
    "address_refused": SourceRefused,
    "idempotency_mismatch": IdempotencyMismatch,
    "jobs_quota_exceeded": QuotaExceeded,
    "link_expired": LinkExpired,
    "source_missing": SourceRefused,
    "source_too_large": SourceRefused,
    "storage_quota_exceeded": QuotaExceeded,
    "upload_invalid": SourceRefused,
}


def error_of(response: httpx.Response) -> ApiError:
    """The error that a read response of status 400 or more stands for.

    A body that is no problem document, as a proxy in between sends, gets the code `http_<status>`.
    """
    problem = _problem(response)
    status = response.status_code
    code = _text(problem, "code") or f"http_{status}"
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    error = kind(status, code, _detail(problem, response), problem)
    if isinstance(error, RateLimited):
        error.retry_after_s = retry_after_s(response.headers)
    return error


def is_quota(response: httpx.Response) -> bool:
    """Whether a read refusal is one that only the owner's own doing can lift."""
    return response.status_code == httpx.codes.TOO_MANY_REQUESTS and isinstance(error_of(response), QuotaExceeded)


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _detail(problem: dict[str, Any], response: httpx.Response) -> str:
    phrase = f"{response.status_code} {response.reason_phrase}".strip()
    return _text(problem, "detail") or _text(problem, "title") or phrase


def _text(problem: dict[str, Any], name: str) -> str:
    found = problem.get(name)
    return found if isinstance(found, str) else ""
