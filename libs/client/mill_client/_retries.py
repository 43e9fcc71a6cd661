"""When a request is sent again, and after how long. Knows nothing of sockets, so any transport can use it."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum

import httpx


class Repeat(Enum):
    """What sending a request twice would do."""

    SAFE = "safe"  # nothing more than sending it once
    UNTAKEN = "untaken"  # something more, unless the first was surely not taken
    NEVER = "never"  # hide the very answer that was asked for


_REFUSED = frozenset({429, 503})
_UNCERTAIN = frozenset({502, 504})
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BROKEN = (httpx.TimeoutException, httpx.NetworkError, httpx.RemoteProtocolError, httpx.ProxyError)


@dataclass(frozen=True)
class Retries:
    """How patiently a request is repeated."""

    count: int = 3
    base_s: float = 0.25
    cap_s: float = 8.0
    longest_wait_s: float = 60.0  # a server that asks for more is not waited for
    uniform: Callable[[float, float], float] = random.uniform

    def after_response(self, attempt: int, response: httpx.Response, repeat: Repeat) -> float | None:
        """Seconds until the next attempt, or None if this response is final. Attempts count from 0."""
        again = _REFUSED | _UNCERTAIN if repeat is Repeat.SAFE else _REFUSED
        if repeat is Repeat.NEVER or attempt >= self.count or response.status_code not in again:
            return None
        asked_s = retry_after_s(response.headers)
        if asked_s is None:
            return self.backoff_s(attempt)
        # A little later than asked, so that clients told the same do not return together.
        return None if asked_s > self.longest_wait_s else asked_s + self.uniform(0, self.base_s)

    def after_failure(self, attempt: int, error: httpx.RequestError, repeat: Repeat) -> float | None:
        """Seconds until the next attempt after a broken connection, or None if it is final."""
        if repeat is Repeat.NEVER or attempt >= self.count or not isinstance(error, _BROKEN):
            return None
        return self.backoff_s(attempt) if repeat is Repeat.SAFE or isinstance(error, _UNSENT) else None

    def backoff_s(self, attempt: int) -> float:
        """Exponential, with half of it left to chance."""
        full = min(self.cap_s, self.base_s * 2.0**attempt)
        return full / 2 + self.uniform(0, full / 2)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds that a `Retry-After` header asks for, as a number or a date; None without a readable one.

    Source: RFC 9110 §10.2.3.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        when = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())
