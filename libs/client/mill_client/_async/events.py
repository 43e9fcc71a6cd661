"""Live progress over Server-Sent Events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Collection
from contextlib import aclosing

from .._calls import account
from .._sse import Decoder
from ..errors import ApiError, ConnectionFailed, ServerError, UnexpectedAnswer
from ..models import JobEvent, Ticket
from .pace import AsyncPace
from .states import AsyncStates
from .transport import AsyncTransport


class AsyncEvents:
    """News of this key's owner's jobs."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def ticket(self, job_id: str | None = None) -> Ticket:
        """What lets a browser watch one job, or all of the owner's, for some minutes without a key."""
        return await self._transport.send(account.ticket(job_id))

    async def watch(
        self, job_id: str | None = None, *, last_event_id: str | None = None, outage_s: float = 30.0
    ) -> AsyncIterator[JobEvent]:
        """News as they come: of one job until it has ended, or of all of the owner's without end.

        A broken stream is opened again behind the last event that was seen, and nothing is missed.

        Args:
            job_id: Which job; all if None.
            last_event_id: The `id` of an event that was seen before; what came after it is told first.
            outage_s: Seconds for which the server may be away.

        Raises:
            ConnectionFailed: It was away for longer.
        """
        pace = AsyncPace(outage_s, first_s=0.5, longest_s=5.0)
        while True:
            try:
                async with aclosing(self.listen(job_id, last_event_id)) as stream:
                    async for event in stream:
                        pace = AsyncPace(outage_s, first_s=0.5, longest_s=5.0)
                        if event is None:
                            continue
                        last_event_id = event.id
                        yield event
                        if job_id is not None and event.event == "complete":
                            return
                if job_id is not None and last_event_id and last_event_id.endswith("-complete"):
                    return
                await pace.pause()
            except (ConnectionFailed, ServerError):
                if not await pace.pause():
                    raise

    async def follow(
        self, job_ids: Collection[str], *, timeout_s: float | None = None, outage_s: float = 30.0
    ) -> AsyncIterator[JobEvent]:
        """News of some jobs until all have ended, over one stream; by asking where the server gives none.

        Each job's last event is `complete`; one that is not there (any more) completes as `deleted`.

        Raises:
            WaitTimeout: They did not all end within `timeout_s` seconds.
            ConnectionFailed: The server was away for more than `outage_s` seconds.
        """
        states = AsyncStates(self._transport, job_ids, timeout_s=timeout_s, outage_s=outage_s)
        while True:
            for news in await states.look():
                yield news
            if not states.waiting:
                return
            if states.is_worth_listening:
                async with aclosing(self._heard(states)) as heard:
                    async for news in heard:
                        yield news
            await states.pause()

    async def _heard(self, states: AsyncStates) -> AsyncGenerator[JobEvent, None]:
        heard = False
        try:
            async with aclosing(self.listen(states.only, None)) as stream:
                async for event in stream:
                    # At the start, and whenever nothing happens: no job's end may be missed.
                    found = await states.look() if event is None else states.take(event)
                    heard = True
                    for news in found:
                        yield news
                    if not states.waiting or not states.is_worth_listening:
                        return
        except (ApiError, ConnectionFailed, UnexpectedAnswer) as error:
            # A stream that breaks is opened again; one that can't be had is not asked for twice.
            heard = heard and isinstance(error, ConnectionFailed)
        states.listens = heard

    async def listen(self, job_id: str | None, last_event_id: str | None) -> AsyncGenerator[JobEvent | None, None]:
        """One stream until it ends or breaks. None where it begins, and for each comment that keeps it alive."""
        async with self._transport.open(account.events(job_id, last_event_id)) as response:
            if response.status_code != 200:
                return
            if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise UnexpectedAnswer(self._transport.url, "it sends no events")
            yield None
            decoder = Decoder(last_event_id)
            async for chunk in response.aiter_bytes():
                for event in self._decoded(decoder, chunk):
                    yield event

    def _decoded(self, decoder: Decoder, chunk: bytes) -> list[JobEvent | None]:
        try:
            return list(decoder.feed(chunk))
        except ValueError as error:
            raise UnexpectedAnswer(self._transport.url, f"an event cannot be read: {error}") from error
