"""Live progress over Server-Sent Events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sse_starlette.sse import EventSourceResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from mill_api.auth import caller
from mill_api.callers import Caller
from mill_api.fields import Time, from_unix
from mill_api.links import path, public
from mill_api.live.hub import OVERLAP_S, Hub
from mill_api.live.reading import active_states, owned_state, states_since
from mill_api.live.state import State, written_at
from mill_api.live.tickets import Ticket, make_ticket
from mill_api.openapi import EVENT_STREAM, Header, operation
from mill_api.owners import owned_job
from mill_api.resources import hub, resources, signer
from mill_common.queue import JobNotFound
from mill_common.signing import LinkExpired, SignatureInvalid

PING_S = 15
SLOW_S = 30.0  # a client that takes nothing for so long has left, whatever its connection says
LAST_EVENT_ID = Header("Last-Event-ID", "The last event that was seen; what came after it is told first.")
TICKET_REFUSALS = (SignatureInvalid, LinkExpired)
SEEN = {204: "The job has ended and its `complete` event was seen: do not come back."}


class TicketRequest(BaseModel):
    """What a ticket is to allow."""

    model_config = ConfigDict(extra="forbid")

    job_id: UUID | None = Field(default=None, strict=False, description="One job; all of the owner's if absent.")


class TicketMade(BaseModel):
    """A ticket for a browser."""

    ticket: str
    expires_at: Time
    url: str = Field(description="What an EventSource opens.")


@operation(
    tag="events",
    status=201,
    scope="jobs:read",
    body=TicketRequest,
    body_required=False,
    returns=TicketMade,
    raises=[JobNotFound],
)
def create_ticket(request: Request, body: TicketRequest) -> TicketMade:
    """Make a ticket with which a browser may watch, in place of a key. It expires within minutes."""
    wired = resources(request)
    if body.job_id is not None:
        with wired.database.read() as session:
            owned_job(session, body.job_id, caller(request).owner_id)
    expires_at = int(time.time()) + wired.settings.ticket_expires_s
    ticket = make_ticket(signer(request), Ticket(caller(request).key_id, body.job_id), expires_at)
    where = path("events", body.job_id, "progress") if body.job_id else path("events")
    url = public(wired.settings, f"{where}?ticket={ticket}")
    return TicketMade(ticket=ticket, expires_at=from_unix(expires_at), url=url)


@operation(
    tag="events",
    scope="jobs:read",
    ticket=True,
    headers=[LAST_EVENT_ID],
    produces=EVENT_STREAM,
    also=SEEN,
    raises=[JobNotFound, *TICKET_REFUSALS],
)
async def watch_job(request: Request, job_id: UUID) -> Response:
    """Watch one job: `progress` as it goes on, `stage` with each new stage, `complete` at its end; then it ends.

    Each event's data is JSON. The first events tell how things are. A job that is deleted meanwhile completes as
    `deleted`.
    """
    who = caller(request)
    state = hub(request).known(job_id)
    if state is None:
        state = await run_in_threadpool(_read, request, partial(owned_state, job_id=job_id, owner_id=who.owner_id))
    if state is None or state.owner_id != who.owner_id:
        raise JobNotFound
    seen = state.last_id == request.headers.get(LAST_EVENT_ID.name)
    if seen and state.ending:
        return Response(status_code=204)
    return _stream(request, _news(hub(request), who, job_id, [state], already_told=seen))


@operation(
    tag="events",
    scope="jobs:read",
    ticket=True,
    headers=[LAST_EVENT_ID],
    produces=EVENT_STREAM,
    raises=TICKET_REFUSALS,
)
async def watch_all(request: Request) -> Response:
    """Watch every job of the caller's owner, until the client leaves.

    The first events tell of the jobs being worked on or, with `Last-Event-ID`, of those that changed since.
    """
    who = caller(request)
    since = written_at(request.headers.get(LAST_EVENT_ID.name, ""))
    if since is None:
        read = partial(active_states, owner_id=who.owner_id)
    else:
        read = partial(states_since, owner_id=who.owner_id, unix_time=since - OVERLAP_S)
    states = await run_in_threadpool(_read, request, read)
    return _stream(request, _news(hub(request), who, None, states))


def _read(request: Request, read: Any) -> Any:
    with resources(request).database.read() as session:
        return read(session)


async def _news(
    watched: Hub, who: Caller, job_id: UUID | None, states: Sequence[State], *, already_told: bool = False
) -> AsyncIterator[bytes]:
    with watched.watch(who, job_id, states, already_told=already_told) as watcher:
        async for news in watcher.news():
            yield news


def _stream(request: Request, news: AsyncIterator[bytes]) -> Response:
    if request.method == "HEAD":
        # Whatever comes next on the connection would wait for the end of the stream.
        return Response(media_type=EVENT_STREAM, headers={"X-Accel-Buffering": "no"})
    return EventSourceResponse(news, ping=PING_S, send_timeout=SLOW_S, sep="\n")
