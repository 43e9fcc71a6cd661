"""Server-Sent Events out of bytes. Knows no socket.

Source: WHATWG HTML, 9.2.6 Interpreting an event stream.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from .models import JobEvent


class Decoder:
    """Gathers bytes until an event is whole."""

    def __init__(self, last_id: str | None = None) -> None:
        self._last_id = last_id or ""
        self._event = ""
        self._data: list[str] = []
        self._rest = b""

    def feed(self, chunk: bytes) -> Iterator[JobEvent | None]:
        """The events that these bytes complete, and None for each comment.

        Raises:
            ValueError: One is none that a Mediamill server sends.
        """
        # Not splitlines(): JSON may hold other characters that this would take for ends of lines.
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            text = line.rstrip(b"\r").decode()
            event = self._take(text)
            if event is not None or text.startswith(":"):
                yield event

    def _take(self, line: str) -> JobEvent | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            self._event = value
        elif field == "data":
            self._data.append(value)
        elif field == "id" and "\0" not in value:
            self._last_id = value
        return None

    def _dispatch(self) -> JobEvent | None:
        event, data = self._event, "\n".join(self._data)
        self._event, self._data = "", []
        fields = json.loads(data) if data else None
        if not isinstance(fields, dict) or "job_id" not in fields:
            return None  # of a newer server: not about a job
        return JobEvent.model_validate({**fields, "event": event or "message", "id": self._last_id})
