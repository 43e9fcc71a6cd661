"""Every error the SDK raises on purpose.

MillClientError
├── ApiError                  the server refused or failed: status, code, detail, the whole problem
│   ├── Invalid               400, 413, 415, 422: the request is at fault; `errors` says where
│   │   ├── SourceRefused     the source is missing, too large, or at an address that is not asked
│   │   └── IdempotencyMismatch  the key was used with another request
│   ├── Unauthenticated       401: no key, or not a valid one
│   ├── Forbidden             403: the key may not do this
│   │   └── LinkExpired       403: the signed link is too old
│   ├── NotFound              404: not there, or another owner's
│   ├── Conflict              409, 412: not in the state that this needs
│   ├── Locked                423: another request writes to this upload
│   ├── ChecksumMismatch      460: the bytes changed on their way
│   ├── RateLimited           429: too many requests; `retry_after_s` says when to come back
│   ├── QuotaExceeded         413, 429: storage or jobs are used up; `limit`, `used`, `requested`
│   └── ServerError           5xx: the server could not do it
│       └── Unavailable       503: for the moment
├── ConnectionFailed          no answer from the server
├── UnexpectedAnswer          an answer that no Mediamill server gives
├── JobFailed                 the awaited job failed or was cancelled; `job` is its last state
├── WaitTimeout               the awaited job did not end in time; it goes on
├── OutputMissing             the job has no output of that name
├── TransferFailed            bytes arrived that are not those announced, or under a name not to be written
├── Stopped                   a transfer was given up from outside
└── WebhookRejected           a request to a webhook is not to be believed
    ├── HeadersMissing        it is not signed
    ├── TimestampRejected     it was signed too long ago, or in the future: perhaps it is replayed
    ├── SignatureRejected     it was signed with another secret, or changed on its way
    └── BodyRejected          it is genuine, but no event that this version can read
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .models import Job


class MillClientError(Exception):
    """Something went wrong between this program and the server."""


class ApiError(MillClientError):
    """The server answered with a problem."""

    def __init__(self, status: int, code: str, detail: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.problem: Mapping[str, Any] = problem or {}


class Invalid(ApiError):
    """The request is at fault."""

    @property
    def errors(self) -> list[tuple[str, str]]:
        """Where the request is wrong, and how, as pairs of a dotted path and a message."""
        found = self.problem.get("errors")
        entries = [entry for entry in found if isinstance(entry, Mapping)] if isinstance(found, Sequence) else []
        return [(_dotted(entry.get("loc")), str(entry.get("message", ""))) for entry in entries]


class SourceRefused(Invalid):
    """The source is missing, too large, or at an address that is not asked."""


class IdempotencyMismatch(Invalid):
    """The idempotency key was used with another request."""


class Unauthenticated(ApiError):
    """The request carries no valid key."""


class Forbidden(ApiError):
    """The key may not do this."""


class LinkExpired(Forbidden):
    """The signed link is too old."""


class NotFound(ApiError):
    """It is not there, or it is another owner's."""


class Conflict(ApiError):
    """It is not in the state that this needs."""


class Locked(ApiError):
    """Another request writes to this upload."""


class ChecksumMismatch(ApiError):
    """The bytes changed on their way."""


class RateLimited(ApiError):
    """Too many requests."""

    retry_after_s: float | None = None


class QuotaExceeded(ApiError):
    """Storage or jobs are used up. Numbers are bytes or jobs, and 0 where the server tells none."""

    @property
    def limit(self) -> int:
        """What the owner may have."""
        return self._number("limit")

    @property
    def used(self) -> int:
        """What the owner has."""
        return self._number("used")

    @property
    def requested(self) -> int:
        """What this would have added."""
        return self._number("requested")

    def _number(self, name: str) -> int:
        quota = self.problem.get("quota")
        found = quota.get(name) if isinstance(quota, Mapping) else None
        return found if isinstance(found, int) else 0


class ServerError(ApiError):
    """The server could not do it."""


class Unavailable(ServerError):
    """The server could not do it for the moment."""


class ConnectionFailed(MillClientError):
    """The server does not answer."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"no answer from {url}: {reason}")
        self.url = url
        self.reason = reason


class UnexpectedAnswer(MillClientError):
    """The answer is not one that a Mediamill server gives."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} does not answer as a Mediamill server does: {reason}")
        self.url = url


class JobFailed(MillClientError):
    """The awaited job failed or was cancelled."""

    def __init__(self, job: Job) -> None:
        why = f": {job.error.message} ({job.error.code})" if job.error else ""
        super().__init__(f"job {job.job_id} {'was ' if job.status == 'cancelled' else ''}{job.status}{why}")
        self.job = job


class WaitTimeout(MillClientError):
    """The awaited jobs did not end in time; they go on."""

    def __init__(self, timeout_s: float, waiting: Sequence[str], job: Job | None = None) -> None:
        one = f"job {waiting[0]} is {job.status if job else 'not done'} after {timeout_s:g} s of waiting; it goes on"
        many = f"{len(waiting)} jobs are not done after {timeout_s:g} s of waiting; they go on"
        super().__init__(one if len(waiting) == 1 else many)
        self.waiting = list(waiting)
        self.job = job


class OutputMissing(MillClientError):
    """The job has no output of that name."""

    def __init__(self, wanted: str, present: Sequence[str]) -> None:
        there = f"it has {', '.join(present)}" if present else "it has none yet"
        super().__init__(f"the job has no output {wanted!r}; {there}")
        self.wanted = wanted


class TransferFailed(MillClientError):
    """Bytes arrived that are not those announced, or under a name not to be written."""


class Stopped(MillClientError):
    """A transfer was given up from outside."""


class WebhookRejected(MillClientError):
    """A request to a webhook is not to be believed."""


class HeadersMissing(WebhookRejected):
    """It is not signed."""


class TimestampRejected(WebhookRejected):
    """It was signed too long ago, or in the future: perhaps it is replayed."""


class SignatureRejected(WebhookRejected):
    """It was signed with another secret, or changed on its way."""


class BodyRejected(WebhookRejected):
    """It is genuine, but no event that this version can read."""


def _dotted(loc: object) -> str:
    if isinstance(loc, Sequence) and not isinstance(loc, str):
        return ".".join(str(part) for part in loc)
    return "" if loc is None else str(loc)
