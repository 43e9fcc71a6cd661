"""What every request passes on its way in, and every answer on its way out.

One wrapper does all of it: headers, audit, usage, metrics and the log. Each more would cost each message a call.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable

import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mill_api.access_log import tell
from mill_api.audit import lacks_entry, write_entry
from mill_api.headers import complete, request_id_of, trace_id_of
from mill_api.problems import of_accident
from mill_api.threads import Threads
from mill_api.usage import Meter, Tally
from mill_common.metrics.instruments import REQUESTS_UNDER_WAY


class Edge:
    """Names each request, completes and counts its answer, and sees to its entry in the audit log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._pass(scope, receive, send) if scope["type"] == "http" else self._app(scope, receive, send)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        passage = _Passage(scope, receive, send, request_id_of(headers))
        REQUESTS_UNDER_WAY.inc()
        with structlog.contextvars.bound_contextvars(request_id=passage.request_id, trace_id=trace_id_of(headers)):
            try:
                await self._app(scope, passage.receive, passage.send)
            except Exception as error:
                # Starlette would answer outside of this, without the headers. Raised again for the server's log.
                if passage.answered_s is None:
                    await of_accident(Request(scope), error)(scope, receive, passage.send)
                raise
            finally:
                REQUESTS_UNDER_WAY.dec()
                passage.end()


class _Passage:
    """One request and its answer."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        self.request_id = request_id
        self.answered_s: float | None = None
        self._began = time.perf_counter()
        self._scope = scope
        self._receive = receive
        self._send = send
        self._status = 0
        self._tally = Tally(requests=1)

    async def receive(self) -> Message:
        message = await self._receive()
        self._tally.bytes_in += len(message.get("body", b""))
        return message

    def send(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            return self._begin(message)
        self._tally.bytes_out += len(message.get("body", b""))
        return self._send(message)

    async def _begin(self, message: Message) -> None:
        status = message["status"]
        request = Request(self._scope)
        if lacks_entry(request, status):
            threads: Threads = self._scope["app"].state.threads
            await threads.run(write_entry, request, status)  # the entry is there before the answer is
        self._status = status
        self.answered_s = time.perf_counter() - self._began
        self._tally.errors = int(status >= 400)
        complete(message["headers"], self._scope, self.request_id)
        await self._send(message)

    def end(self) -> None:
        state = self._scope.get("state", {})
        if self.answered_s is not None and "caller" in state:
            meter: Meter = self._scope["app"].state.meter
            caller = state["caller"]
            meter.note(caller.owner_id, caller.key_id, state["route"], self.answered_s, self._tally)
        tell(self._scope, self._status, time.perf_counter() - self._began)
