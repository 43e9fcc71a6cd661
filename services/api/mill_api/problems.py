"""Every error as `application/problem+json`, RFC 9457."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from mill_common.errors import MillError, PermanentError
from mill_common.quotas import QuotaExceeded

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    loc: list[str | int] = Field(description="Where: `body`, `query`, `header` or `path`, then the way to the value.")
    message: str


class QuotaView(BaseModel):
    """The numbers behind an exceeded quota: bytes, or jobs."""

    model_config = ConfigDict(from_attributes=True)

    limit: int
    used: int
    requested: int


class Problem(BaseModel):
    """What went wrong, for programs (`code`) and for people (`detail`)."""

    type: str = Field(description="A URN that names the kind of problem.")
    title: str = Field(description="The kind of problem in a few words; the same for every occurrence.")
    status: int
    code: str = Field(description="Stable; programs compare this.")
    detail: str
    instance: str = Field(description="The path asked for.")
    errors: list[Fault] | None = None
    quota: QuotaView | None = None


class RequestInvalid(PermanentError):
    """The request is not as the interface describes it."""

    code = "invalid_request"
    status = 422

    def __init__(self, message: str | None = None, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = list(faults)

    @classmethod
    def of(cls, error: ValidationError, where: str) -> RequestInvalid:
        """From what pydantic found in one place of the request."""
        faults = [
            # What our own checks say comes with the name of the exception in front.
            Fault(loc=[where, *found["loc"]], message=found["msg"].removeprefix("Value error, "))
            for found in error.errors(include_url=False)
        ]
        return cls(f"{where}: {faults[0].message}", faults)


class BodyTooLarge(PermanentError):
    """The request's body is larger than this operation takes."""

    code = "body_too_large"
    status = 413


class MediaTypeUnsupported(PermanentError):
    """The request's body is of a type that this operation does not take."""

    code = "unsupported_media_type"
    status = 415


class NotFound(PermanentError):
    """There is nothing here."""

    code = "not_found"
    status = 404


def problem(request: Request, *, status: int, code: str, title: str, detail: str, **more: Any) -> Response:
    """A response that carries a problem. `more` may hold `errors` and `headers`."""
    headers = dict(more.pop("headers", None) or {})
    body = Problem(
        type=f"urn:mediamill:problem:{code}",
        title=title,
        status=status,
        code=code,
        detail=detail,
        instance=_instance(request),
        **more,
    )
    return Response(
        body.model_dump_json(exclude_none=True), status_code=status, media_type=MEDIA_TYPE, headers=dict(headers)
    )


def _instance(request: Request) -> str:
    # A stream's path carries a token; what is written here may end up in a log.
    path = request.url.path
    return "/stream" if path.startswith("/stream/") else path


def of_mill_error(request: Request, error: Exception) -> Response:
    """Answer an error that was raised on purpose."""
    assert isinstance(error, MillError)
    if error.status >= 500:
        log.error("request failed", code=error.code, error=str(error))
    faults = error.faults if isinstance(error, RequestInvalid) else None
    return problem(
        request,
        status=error.status,
        code=error.code,
        title=(type(error).__doc__ or error.code).splitlines()[0],
        detail=error.message,
        errors=faults or None,
        quota=QuotaView.model_validate(error.quota) if isinstance(error, QuotaExceeded) and error.quota else None,
        headers=getattr(error, "headers", None),
    )


_CODES = {400: "invalid_request", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


def of_http_exception(request: Request, error: Exception) -> Response:
    """Answer Starlette's own errors: no such path, no such method."""
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    return problem(
        request,
        status=error.status_code,
        code=_CODES.get(error.status_code, title.lower().replace(" ", "_")),
        title=title,
        detail=error.detail if error.detail != title else f"{title}: {request.method} {_instance(request)}",
        # Only static files come without one.
        headers=error.headers or ({"Allow": "GET, HEAD"} if error.status_code == 405 else None),
    )


def of_accident(request: Request, error: Exception) -> Response:
    """Answer what nobody expected. The cause goes to the log alone."""
    log.error("unexpected error", error=type(error).__name__, exc_info=error)
    return problem(
        request,
        status=500,
        code="internal_error",
        title="The server made a mistake.",
        detail="The server made a mistake. It has been recorded.",
    )
