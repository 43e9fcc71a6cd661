"""Counts requests as they pass."""

from __future__ import annotations

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mill_api.usage.meter import Meter, Tally


class Metering:
    """Tells the application's meter of each request that came with a key. What it takes is a few additions."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        answered_s: float | None = None
        tally = Tally(requests=1)

        async def counted_receive() -> Message:
            message = await receive()
            tally.bytes_in += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            nonlocal answered_s
            if message["type"] == "http.response.start":
                answered_s = time.perf_counter() - began
                tally.errors = int(message["status"] >= 400)
            tally.bytes_out += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, counted_receive, counted_send)
        finally:
            state = scope.get("state", {})
            if answered_s is not None and "caller" in state:
                meter: Meter = scope["app"].state.meter
                caller = state["caller"]
                meter.note(caller.owner_id, caller.key_id, state["route"], answered_s, tally)
