"""How much of a request's body is taken."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.types import Message, Receive

from mill_common.errors import MillError

JSON_BYTES = 256 * 2**10


def announced_size(request: Request) -> int | None:
    """The body's size in bytes as the client announced it; None when it did not, or not in digits."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None


def limit_body(request: Request, limit: int, error: Callable[[str], MillError]) -> Request:
    """The same request; reading more than `limit` bytes of its body raises what `error` makes.

    Raises:
        MillError: `error`, at once, if the client announces more.
    """
    announced = announced_size(request)
    if announced is not None and announced > limit:
        raise error(f"The body has {announced} bytes; the limit is {limit}.")
    return Request(request.scope, _limited(request.receive, limit, error))


def _limited(receive: Receive, limit: int, error: Callable[[str], MillError]) -> Receive:
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise error(f"The body is longer than the limit of {limit} bytes.")
        return message

    return limited
