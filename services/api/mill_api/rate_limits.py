"""How often a key, or an address without one, may ask: counted in Redis, so that every process counts the same.

On one machine (`memory://`) the process counts for itself. While Redis is away nothing is limited: a request must not
wait for a counter, or fail for want of one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address, ip_address

import limits
import structlog
from limits.storage import MemoryStorage, RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from mill_common.errors import TransientError
from mill_common.settings import Settings

log = structlog.get_logger(__name__)

ANSWERS_S = 0.25  # how long a request waits for Redis, once
AWAY_S = 10.0  # how long it is left alone when it did not answer


class Rate(StrEnum):
    """The classes of requests. Each has its setting, `MILL_RATE_…`."""

    READ = "read"
    WRITE = "write"
    UPLOAD = "upload"
    ADMIN = "admin"
    ADMIN_CLEANUP = "admin_cleanup"
    ADMIN_STATS = "admin_stats"
    ADMIN_JOBS = "admin_jobs"
    LOGIN = "login"  # attempts to sign in as one user
    LOGIN_ADDRESS = "login_address"  # and from one address
    SIGNED = "signed"  # links and streams: no key, but a signature; by address
    STRANGER = "stranger"  # neither; by address
    UNLIMITED = "unlimited"


class RateLimited(TransientError):
    """Too many requests; `Retry-After` says when to come back."""

    code = "rate_limited"
    status = 429

    def __init__(self, message: str | None = None, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.headers: Mapping[str, str] = {"Retry-After": str(retry_after_s)}


@dataclass(frozen=True)
class Allowance:
    """What is left of a limit after a request."""

    rate: Rate
    limit: int  # requests
    window_s: int
    remaining: int
    resets_in_s: int
    allowed: bool

    @property
    def headers(self) -> Mapping[str, str]:
        """`RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10), and GitHub's older form."""
        return {
            "RateLimit-Policy": f'"{self.rate}";q={self.limit};w={self.window_s}',
            "RateLimit": f'"{self.rate}";r={self.remaining};t={self.resets_in_s}',
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(int(time.time()) + self.resets_in_s),
        }


class RateLimits:
    """The limits that `settings` name."""

    def __init__(self, settings: Settings) -> None:
        self._limits = _parse(settings) if settings.rate_limits else {}
        self._storage = _storage(settings.broker_url)
        self._limiter = SlidingWindowCounterRateLimiter(self._storage)
        self._away_until = 0.0

    def take(self, rate: Rate, who: str) -> Allowance | None:
        """Count a request of `who`. None where nothing limits it. Blocks for `ANSWERS_S` at most."""
        limit = self._limits.get(rate)
        if limit is None or time.monotonic() < self._away_until:
            return None
        try:
            allowed = self._limiter.hit(limit, rate, who)
            stats = self._limiter.get_window_stats(limit, rate, who)
        except (RedisError, OSError) as error:
            self._away_until = time.monotonic() + AWAY_S
            log.warning("requests are not limited", error=type(error).__name__, for_s=AWAY_S)
            return None
        return Allowance(
            rate=rate,
            limit=limit.amount,
            window_s=limit.get_expiry(),
            remaining=stats.remaining if allowed else 0,
            resets_in_s=max(1, math.ceil(stats.reset_time - time.time())),
            allowed=allowed,
        )

    def close(self) -> None:
        """Close what is open."""
        if isinstance(self._storage, RedisStorage):
            self._storage.storage.close()


def of_address(host: str) -> str:
    """Whom an address stands for: in IPv6 a client has all of a /64."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return f"{address.exploded[:19]}::/64" if isinstance(address, IPv6Address) else host


def _parse(settings: Settings) -> dict[Rate, limits.RateLimitItem]:
    named = {rate: getattr(settings, f"rate_{rate}") for rate in Rate if rate is not Rate.UNLIMITED}
    return {rate: limits.parse(text) for rate, text in named.items() if text != "off"}


def _storage(broker_url: str) -> MemoryStorage | RedisStorage:
    if broker_url.startswith("memory://"):
        return MemoryStorage()
    return RedisStorage(
        broker_url,
        key_prefix="mill-rate",
        socket_timeout=ANSWERS_S,
        socket_connect_timeout=ANSWERS_S,
        retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]  # handed on to redis-py as it is
    )
