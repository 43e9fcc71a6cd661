"""Who calls, and whether they may."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, or_, update
from sqlmodel import col, select
from starlette.requests import Request

from mill_api.credentials import digest_of, is_mistyped
from mill_api.known_callers import KnownCallers
from mill_api.live.tickets import ALL, read_ticket
from mill_api.openapi import Operation
from mill_api.rate_limits import Rate, RateLimited, of_address
from mill_api.resources import resources, signer
from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.errors import MillError, PermanentError
from mill_common.models import ApiKey

ADMIN = "admin"
USED_EVERY_S = 60.0  # how closely `last_used_at` is kept


class Unauthenticated(PermanentError):
    """A valid API key is needed in X-API-Key."""

    code = "unauthenticated"
    status = 401
    headers: ClassVar[Mapping[str, str]] = {"WWW-Authenticate": 'ApiKey realm="mediamill"'}


class Forbidden(PermanentError):
    """The key does not allow this."""

    code = "forbidden"
    status = 403


@dataclass(frozen=True)
class Caller:
    """Who a request comes from."""

    owner_id: str
    key_id: UUID
    scopes: frozenset[str]

    @property
    def is_admin(self) -> bool:
        """Whether the key holds the scope `admin`, which includes every other."""
        return ADMIN in self.scopes

    def may(self, scope: str | None) -> bool:
        """Whether the key holds a scope: itself, `jobs` for `jobs:read`, or `admin`."""
        return scope is None or self.is_admin or not self.scopes.isdisjoint({scope, scope.partition(":")[0]})


def authorise(request: Request, operation: Operation) -> None:
    """Find out who calls, count the request, and keep both with it.

    Raises:
        RateLimited: The key, or the address of somebody without one, asked too often.
        Unauthenticated: No key, or one that is unknown, expired or revoked.
        Forbidden: The key does not hold the operation's scope, or the ticket is another job's.
        SignatureInvalid: The ticket is none of ours.
        LinkExpired: The ticket's time has come.
    """
    if operation.scope is None:
        _count(request, operation.limited_as, _address(request))
        return
    ticket = request.query_params.get("ticket") if operation.ticket else None
    try:
        caller = _holder(request, ticket) if ticket is not None else _identify(request)
    except MillError:
        _count(request, Rate.STRANGER, _address(request))
        raise
    _count(request, operation.limited_as, str(caller.key_id))
    structlog.contextvars.bind_contextvars(owner=caller.owner_id)
    if not caller.may(operation.scope):
        raise Forbidden(f"This needs a key with the scope {operation.scope}.")
    request.state.caller = caller


def caller(request: Request) -> Caller:
    """Who `request` comes from; only after `authorise`."""
    known = request.state.caller
    assert isinstance(known, Caller)
    return known


def _count(request: Request, rate: Rate, who: str) -> None:
    allowance = request.app.state.rate_limits.take(rate, who)
    if allowance is None:
        return
    request.state.rate_headers = allowance.headers
    if not allowance.allowed:
        asked = f"{allowance.limit} requests in {allowance.window_s} seconds"
        raise RateLimited(f"The limit for {rate} is {asked}.", allowance.resets_in_s)


def _address(request: Request) -> str:
    return of_address(request.client.host) if request.client else ""


def _identify(request: Request) -> Caller:
    key = request.headers.get("x-api-key", "")
    if not key or is_mistyped(key):
        raise Unauthenticated
    digest = digest_of(key)
    known: KnownCallers[Caller] = request.app.state.known_callers
    # Only to look: whoever changes something has a key that is good at this moment.
    caller = known.get(digest) if request.method in ("GET", "HEAD") else None
    if caller is None:
        asked_at = time.monotonic()
        replaced = (col(ApiKey.previous_digest) == digest) & (col(ApiKey.previous_until) > db_now())
        caller = _caller(resources(request).database, or_(col(ApiKey.digest) == digest, replaced))
        known.note(digest, caller, asked_at=asked_at)
    return caller


def _holder(request: Request, text: str) -> Caller:
    ticket = read_ticket(signer(request), text)
    if request.path_params.get("job_id", ALL) != (str(ticket.job_id) if ticket.job_id else ALL):
        raise Forbidden("The ticket is for something else.")
    return _caller(resources(request).database, col(ApiKey.id) == ticket.key_id)


def _caller(database: Database, named: ColumnElement[bool]) -> Caller:
    with database.read() as session:
        found = session.exec(select(ApiKey, _is_stale()).where(named, *_valid())).first()
    if found is None:
        raise Unauthenticated
    row, is_stale = found
    if is_stale:
        with database.write() as session:
            session.execute(update(ApiKey).where(col(ApiKey.id) == row.id, _is_stale()).values(last_used_at=db_now()))
    return Caller(owner_id=row.owner_id, key_id=row.id, scopes=frozenset(row.scopes))


def _valid() -> tuple[ColumnElement[bool], ...]:
    expires = col(ApiKey.expires_at)
    return col(ApiKey.revoked_at).is_(None), or_(expires.is_(None), expires > db_now())


def _is_stale() -> ColumnElement[bool]:
    # A write a minute and key, not one a request.
    used = col(ApiKey.last_used_at)
    return or_(used.is_(None), used < db_now(-USED_EVERY_S))
