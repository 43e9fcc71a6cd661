"""A client that listens to Server-Sent Events, as a browser does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class Event:
    """One event."""

    name: str
    id: str
    data: dict[str, Any]


class Stream:
    """Events as they come."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def __iter__(self) -> Iterator[Event]:
        fields: dict[str, str] = {}
        for line in self._lines:
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "event" in fields:
                yield Event(fields["event"], fields["id"], json.loads(fields["data"]))
                fields = {}

    def next(self, name: str | None = None) -> Event:
        """The next event, or the next one of that name."""
        return next(event for event in self if name in (None, event.name))

    def rest(self) -> list[Event]:
        """Every event until the stream ends."""
        return list(self)


@contextmanager
def listen(client: httpx.Client, url: str, *, last_id: str | None = None) -> Iterator[Stream]:
    """Open a stream."""
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with client.stream("GET", url, headers=headers, timeout=60) as response:
        if response.is_error:
            response.read()
        yield Stream(response)
