# Made from _async/events.py by `python -m tools.unasync`: change that.
"""Live progress over Server-Sent Events."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from contextlib import closing

from .._calls import account
from .._sse import Decoder
from ..errors import ApiError, ConnectionFailed, ServerError, UnexpectedAnswer
from ..models import JobEvent, Ticket
from .pace import Pace
from .states import States
from .transport import Transport


class Events:
    """News of this key's owner's jobs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def ticket(self, job_id: str | None = None) -> Ticket:
        """What lets a browser watch one job, or all of the owner's, for some minutes without a key."""
        return self._transport.send(account.ticket(job_id))

    def watch(
        self, job_id: str | None = None, *, last_event_id: str | None = None, outage_s: float = 30.0
    ) -> Iterator[JobEvent]:
        """News as they come: of one job until it has ended, or of all of the owner's without end.

        A broken stream is opened again behind the last event that was seen, and nothing is missed.

        Args:
            job_id: Which job; all if None.
            last_event_id: The `id` of an event that was seen before; what came after it is told first.
            outage_s: Seconds for which the server may be away.

        Raises:
            ConnectionFailed: It was away for longer.
        """
        pace = Pace(outage_s, first_s=0.5, longest_s=5.0)
        while True:
            try:
                with closing(self.listen(job_id, last_event_id)) as stream:
                    for event in stream:
                        pace = Pace(outage_s, first_s=0.5, longest_s=5.0)
                        if event is None:
                            continue
                        last_event_id = event.id
                        yield event
                        if job_id is not None and event.event == "complete":
                            return
                if job_id is not None and last_event_id and last_event_id.endswith("-complete"):
                    return
                pace.pause()
            except (ConnectionFailed, ServerError):
                if not pace.pause():
                    raise

    def follow(
        self, job_ids: Collection[str], *, timeout_s: float | None = None, outage_s: float = 30.0
    ) -> Iterator[JobEvent]:
        """News of some jobs until all have ended, over one stream; by asking where the server gives none.

        Each job's last event is `complete`; one that is not there (any more) completes as `deleted`.

        Raises:
            WaitTimeout: They did not all end within `timeout_s` seconds.
            ConnectionFailed: The server was away for more than `outage_s` seconds.
        """
        states = States(self._transport, job_ids, timeout_s=timeout_s, outage_s=outage_s)
        while True:
            for news in states.look():
                yield news
            if not states.waiting:
                return
            if states.is_worth_listening:
                with closing(self._heard(states)) as heard:
                    for news in heard:
                        yield news
            states.pause()

    def _heard(self, states: States) -> Generator[JobEvent, None, None]:
        heard = False
        try:
            with closing(self.listen(states.only, None)) as stream:
                for event in stream:
                    # At the start, and whenever nothing happens: no job's end may be missed.
                    found = states.look() if event is None else states.take(event)
                    heard = True
                    yield from found
                    if not states.waiting or not states.is_worth_listening:
                        return
        except (ApiError, ConnectionFailed, UnexpectedAnswer) as error:
            # A stream that breaks is opened again; one that can't be had is not asked for twice.
            heard = heard and isinstance(error, ConnectionFailed)
        states.listens = heard

    def listen(self, job_id: str | None, last_event_id: str | None) -> Generator[JobEvent | None, None, None]:
        """One stream until it ends or breaks. None where it begins, and for each comment that keeps it alive."""
        with self._transport.open(account.events(job_id, last_event_id)) as response:
            if response.status_code != 200:
                return
            if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise UnexpectedAnswer(self._transport.url, "it sends no events")
            yield None
            decoder = Decoder(last_event_id)
            for chunk in response.iter_bytes():
                yield from self._decoded(decoder, chunk)

    def _decoded(self, decoder: Decoder, chunk: bytes) -> list[JobEvent | None]:
        try:
            return list(decoder.feed(chunk))
        except ValueError as error:
            raise UnexpectedAnswer(self._transport.url, f"an event cannot be read: {error}") from error
