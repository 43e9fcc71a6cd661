"""The gateway served by uvicorn."""

from __future__ import annotations

import signal
import socket
from collections.abc import Sequence

import uvicorn
from starlette.applications import Starlette

GRACE_S = 10  # how long requests under way may take to end


def make_server(app: Starlette, host: str, port: int) -> uvicorn.Server:
    """A server to `run()`, or to `serve()` inside a loop. Port 0 takes any free one."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,  # the process has configured its logs
        access_log=False,  # ours leaves out signatures and tokens
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    return _Server(config, app)


class _Server(uvicorn.Server):
    """Ends the streams of events before it waits for requests to end."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.hub.close()
        await super().shutdown(sockets)


def run_until_stopped(server: uvicorn.Server, sockets: Sequence[socket.socket] | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then return."""

    def stop(*_: object) -> None:
        server.should_exit = True  # also if uvicorn does not listen for signals yet

    # uvicorn raises the signal again once it has shut down, which would end the process before the rest of it has.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    server.run(sockets=list(sockets) if sockets else None)
