"""From a refusing response to the error it stands for. Servers, proxies and strangers all answer here."""

from __future__ import annotations

from typing import Any

import httpx

from ._retries import retry_after_s
from .errors import (
    ApiError,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    RateLimited,
    ServerError,
    Unauthenticated,
)

_BY_STATUS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: RateLimited,
}


def error_of(response: httpx.Response) -> ApiError:
    """The error that a read response of status 400 or more stands for.

    A body that is no problem document, as a proxy in between sends, gets the code `http_<status>`.
    """
    problem = _problem(response)
    status = response.status_code
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ApiError)
    error = kind(status, _text(problem, "code") or f"http_{status}", _detail(problem, response), problem)
    if isinstance(error, RateLimited):
        error.retry_after_s = retry_after_s(response.headers)
    return error


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
