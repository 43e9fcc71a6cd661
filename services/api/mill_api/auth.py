"""Who calls, and whether they may."""

from __future__ import annotations

import time

import structlog
from sqlalchemy import ColumnElement, or_, update
from sqlmodel import col, select
from starlette.requests import Request

from mill_api.callers import ADMIN, OPERATOR, VIEWER, Caller, Forbidden, Unauthenticated
from mill_api.keys.credentials import digest_of, is_mistyped
from mill_api.keys.known_callers import KnownCallers
from mill_api.live.tickets import ALL, read_ticket
from mill_api.openapi import Operation
from mill_api.people.sessions import caller_with, person
from mill_api.rate_limits import Rate, RateLimited, of_address
from mill_api.resources import resources, signer
from mill_api.standing import key_holds
from mill_common.clock import db_now
from mill_common.database import Database
from mill_common.errors import MillError
from mill_common.models import ApiKey

USED_EVERY_S = 60.0  # how closely `last_used_at` is kept

__all__ = [
    "ADMIN",
    "OPERATOR",
    "VIEWER",
    "Caller",
    "Forbidden",
    "Unauthenticated",
    "address_of",
    "authorise",
    "caller",
    "limit",
]


def authorise(request: Request, operation: Operation) -> None:
    """Find out who calls, count the request, and keep both with it.

    Raises:
        RateLimited: The key, or the address of somebody without one, asked too often.
        Unauthenticated: No key, or one that is unknown, expired or revoked.
        Forbidden: The key does not hold the operation's scope, or the ticket is another job's.
        SignatureInvalid: The ticket is none of ours.
        LinkExpired: The ticket's time has come.
    """
    request.state.operation = operation
    if operation.scope is None:
        _count(request, operation.limited_as, address_of(request))
        return
    ticket = request.query_params.get("ticket") if operation.ticket else None
    try:
        caller = _holder(request, ticket) if ticket is not None else _identify(request)
    except MillError:
        _count(request, Rate.STRANGER, address_of(request))
        raise
    _count(request, operation.limited_as, str(caller.key_id))
    structlog.contextvars.bind_contextvars(owner=caller.owner_id)
    request.state.caller = caller
    if not caller.may(operation.scope):
        raise Forbidden(f"This needs the scope {operation.scope}.")


def caller(request: Request) -> Caller:
    """Who `request` comes from; only after `authorise`."""
    known = request.state.caller
    assert isinstance(known, Caller)
    return known


def limit(request: Request, rate: Rate, who: str) -> None:
    """Count a request of `who` in one more class.

    Raises:
        RateLimited: They asked too often.
    """
    _count(request, rate, who)


def _count(request: Request, rate: Rate, who: str) -> None:
    allowance = request.app.state.rate_limits.take(rate, who)
    if allowance is None:
        return
    request.state.rate_headers = allowance.headers
    if not allowance.allowed:
        asked = f"{allowance.limit} requests in {allowance.window_s} seconds"
        raise RateLimited(f"The limit for {rate} is {asked}.", allowance.resets_in_s)


def address_of(request: Request) -> str:
    """Whom the request's address stands for."""
    return of_address(request.client.host) if request.client else ""


def _identify(request: Request) -> Caller:
    key = request.headers.get("x-api-key", "")
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if not key and kind.lower() == "bearer":
        return caller_with(resources(request).database, signer(request), token.strip())
    if not key:
        raise Unauthenticated
    digest = digest_of(key)
    known: KnownCallers[Caller] = request.app.state.known_callers
    # Only to look: whoever changes something has a key that is good at this moment.
    caller = known.get(digest) if request.method in ("GET", "HEAD") else None
    if caller is None:
        if is_mistyped(key):
            raise Unauthenticated
        asked_at = time.monotonic()
        replaced = (col(ApiKey.previous_digest) == digest) & (col(ApiKey.previous_until) > db_now())
        caller = _caller(resources(request).database, or_(col(ApiKey.digest) == digest, replaced))
        known.note(digest, caller, asked_at=asked_at)
    return caller


def _holder(request: Request, text: str) -> Caller:
    ticket = read_ticket(signer(request), text)
    if request.path_params.get("job_id", ALL) != (str(ticket.job_id) if ticket.job_id else ALL):
        raise Forbidden("The ticket is for something else.")
    database = resources(request).database
    return person(database, ticket.key_id) or _caller(database, col(ApiKey.id) == ticket.key_id)


def _caller(database: Database, named: ColumnElement[bool]) -> Caller:
    with database.read() as session:
        found = session.exec(select(ApiKey, _is_stale()).where(named, *key_holds())).first()
    if found is None:
        raise Unauthenticated
    row, is_stale = found
    if is_stale:
        with database.write() as session:
            session.execute(update(ApiKey).where(col(ApiKey.id) == row.id, _is_stale()).values(last_used_at=db_now()))
    return Caller(row.owner_id, row.id, frozenset(row.scopes), f"key:{row.prefix}")


def _is_stale() -> ColumnElement[bool]:
    # A write a minute and key, not one a request.
    used = col(ApiKey.last_used_at)
    return or_(used.is_(None), used < db_now(-USED_EVERY_S))
