"""Objects as HTTP answers: whole, in part, or unchanged. RFC 9110 §13 and §14."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import quote

from anyio import CancelScope
from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mill_common.errors import PermanentError
from mill_common.storage.base import ObjectStore

PARTIAL = {206: "The range asked for.", 304: "Unchanged since the ETag or date given."}
_RANGE = re.compile(r"bytes=\s*(\d{0,19})-(\d{0,19})\s*", re.IGNORECASE | re.ASCII)


class PreconditionFailed(PermanentError):
    """The file is not the one that `If-Match` or `If-Unmodified-Since` names."""

    code = "precondition_failed"
    status = 412


class RangeNotSatisfiable(PermanentError):
    """The range lies outside the file."""

    code = "range_not_satisfiable"
    status = 416

    def __init__(self, size: int) -> None:
        super().__init__(f"The file has {size} bytes.")
        self.headers: Mapping[str, str] = {"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"}


@dataclass(frozen=True, kw_only=True)
class Served:
    """An object and how it is presented."""

    key: str
    size: int  # bytes
    content_type: str
    etag: str  # strong, quoted
    modified_at: datetime
    cache_control: str
    filename: str | None = None  # offered for saving if set


@dataclass(frozen=True)
class Span:
    """Bytes `start` to `end`, the last one included."""

    start: int
    end: int


def serve(request: Request, store: ObjectStore, served: Served) -> Response:
    """Answer a GET or HEAD for an object. Blocks until storage hands out the first bytes.

    A request for several ranges gets the whole, as RFC 9110 §14.2 allows.

    Raises:
        PreconditionFailed: The object is another one than the client knows.
        RangeNotSatisfiable: No byte of the range is there.
    """
    if _is_another(request, served):
        raise PreconditionFailed
    headers = _headers(served)
    if _is_unchanged(request, served):
        return Response(status_code=304, headers={k: v for k, v in headers.items() if k != "Content-Length"})
    span, status = _span(request, served), 200
    if span is not None:
        status = 206
        headers["Content-Range"] = f"bytes {span.start}-{span.end}/{served.size}"
        headers["Content-Length"] = str(span.end - span.start + 1)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=served.content_type)
    start = span.start if span else 0
    blocks = store.get(served.key, start=start, length=int(headers["Content-Length"]))
    return StreamingResponse(_stream(blocks), status_code=status, headers=headers, media_type=served.content_type)


def disposition(filename: str) -> str:
    """A Content-Disposition that offers a file for saving, whatever its name. RFC 6266 with RFC 8187's encoding."""
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def parse_range(header: str, size: int) -> Span | None:
    """The one span that a Range header asks for; None if it is to be ignored.

    Raises:
        RangeNotSatisfiable: It is well formed, and no byte of it is there.
    """
    found = _RANGE.fullmatch(header.strip())
    if found is None or not any(found.groups()):
        return None
    first, last = found.groups()
    if not first:
        length = min(int(last), size)
        if length == 0:
            raise RangeNotSatisfiable(size)
        return Span(size - length, size - 1)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise RangeNotSatisfiable(size)
    return Span(start, min(int(last), size - 1) if last else size - 1)


def _headers(served: Served) -> dict[str, str]:
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": served.cache_control,
        "Content-Length": str(served.size),
        "ETag": served.etag,
        "Last-Modified": format_datetime(served.modified_at.astimezone(UTC).replace(microsecond=0), usegmt=True),
    }
    if served.filename is not None:
        headers["Content-Disposition"] = disposition(served.filename)
    return headers


def _is_another(request: Request, served: Served) -> bool:
    wanted = request.headers.get("if-match")
    if wanted is not None:
        tags = [tag.strip() for tag in wanted.split(",")]  # weak ones never match
        return "*" not in tags and served.etag not in tags
    since = _date(request.headers.get("if-unmodified-since"))
    return since is not None and served.modified_at.replace(microsecond=0) > since


def _is_unchanged(request: Request, served: Served) -> bool:
    wanted = request.headers.get("if-none-match")
    if wanted is not None:
        tags = [tag.strip().removeprefix("W/") for tag in wanted.split(",")]
        return "*" in tags or served.etag in tags
    since = _date(request.headers.get("if-modified-since"))
    return since is not None and served.modified_at.replace(microsecond=0) <= since


def _span(request: Request, served: Served) -> Span | None:
    header = request.headers.get("range")
    if header is None or request.method != "GET" or not _may_be_partial(request, served):
        return None
    return parse_range(header, served.size)


def _may_be_partial(request: Request, served: Served) -> bool:
    condition = request.headers.get("if-range")
    if condition is None:
        return True
    if condition.startswith(('"', "W/")):
        return condition == served.etag
    return _date(condition) == served.modified_at.replace(microsecond=0)


def _date(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


async def _stream(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    try:
        async for block in iterate_in_threadpool(blocks):
            yield block
    finally:
        close = getattr(blocks, "close", None)
        if close is not None:
            with CancelScope(shield=True):
                await run_in_threadpool(close)
