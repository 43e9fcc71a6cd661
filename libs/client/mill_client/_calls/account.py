"""Calls about keys, collections, usage, events and the server's health."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._retries import Repeat
from ..models import CollectionPage, Health, Key, KeyList, Ticket, Usage
from .call import Call, Params, nothing, path, reading

# A comment comes every 15 s; twice without one, and the connection is dead.
EVENTS_PATIENCE_S = 40.0


def create_key(body: Mapping[str, Any]) -> Call[Key]:
    return Call("POST", path("keys"), reading(Key), Repeat.UNTAKEN, json=dict(body))


def keys() -> Call[KeyList]:
    return Call("GET", path("keys"), reading(KeyList))


def rotate_key(key_id: str, body: Mapping[str, Any]) -> Call[Key]:
    # Not repeated when in doubt: a second rotation ends the first secret at once.
    return Call("POST", path("keys", key_id, "rotate"), reading(Key), Repeat.UNTAKEN, json=dict(body))


def revoke_key(key_id: str) -> Call[None]:
    return Call("DELETE", path("keys", key_id), nothing, Repeat.UNTAKEN)


def collections(params: Params) -> Call[CollectionPage]:
    return Call("GET", path("collections"), reading(CollectionPage), params=params)


def usage(params: Params) -> Call[Usage]:
    return Call("GET", path("usage"), reading(Usage), params=params)


def events(job_id: str | None, last_event_id: str | None) -> Call[None]:
    """One job's events, or those of all of the owner's."""
    where = path("events", job_id, "progress") if job_id else path("events")
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
    if last_event_id:
        headers["Last-Event-ID"] = last_event_id
    return Call("GET", where, nothing, Repeat.NEVER, headers=headers, patience_s=EVENTS_PATIENCE_S)


def ticket(job_id: str | None) -> Call[Ticket]:
    return Call("POST", path("events", "tickets"), reading(Ticket), json={"job_id": job_id} if job_id else {})


def health() -> Call[Health]:
    return Call("GET", "/health", reading(Health), Repeat.NEVER)


def readiness() -> Call[None]:
    return Call("GET", "/readyz", nothing, Repeat.NEVER)
