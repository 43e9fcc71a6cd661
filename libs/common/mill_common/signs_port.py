"""A small HTTP server beside a service: `/livez`, `/readyz`, `/health`, `/health/detailed` and `/metrics`.

It asks for no key and belongs on a network that only operators reach.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import structlog

from mill_common.metrics import CONTENT_TYPE
from mill_common.signs import Signs

log = structlog.get_logger(__name__)

Answer = tuple[HTTPStatus, str, bytes]


class SignsPort:
    """Serves one process's signs in threads of its own. A port that is taken costs a warning, not the service."""

    def __init__(self, signs: Signs, host: str, port: int) -> None:
        self._server: ThreadingHTTPServer | None = None
        try:
            self._server = _Server((host, port), _handler(_pages(signs)))
        except OSError as error:
            log.warning("signs_port_not_served", host=host, port=port, error=error.strerror)

    @property
    def port(self) -> int | None:
        """Where it listens; None if it does not."""
        return self._server.server_address[1] if self._server else None

    def start(self) -> None:
        """Begin to answer."""
        if self._server:
            serve = {"poll_interval": 0.2}
            threading.Thread(target=self._server.serve_forever, kwargs=serve, name="signs-port", daemon=True).start()
            log.info("signs_served", port=self.port)

    def stop(self) -> None:
        """Answer no more."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 32


def _pages(signs: Signs) -> dict[str, Callable[[], Answer]]:
    def ready() -> Answer:
        fault = signs.readiness.fault()
        if fault is None:
            return _json({"status": "ready"})
        return _json({"status": "not_ready", "detail": fault}, HTTPStatus.SERVICE_UNAVAILABLE)

    return {
        "/livez": lambda: _json({"status": "healthy"}),
        "/health": lambda: _json({"status": "healthy"}),
        "/readyz": ready,
        "/health/detailed": lambda: _json(signs.checkup.report().to_json()),
        "/metrics": lambda: (HTTPStatus.OK, CONTENT_TYPE, signs.exposition.page()),
    }


def _json(body: dict[str, Any], status: HTTPStatus = HTTPStatus.OK) -> Answer:
    return status, "application/json", json.dumps(body).encode()


def _handler(pages: dict[str, Callable[[], Answer]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0  # seconds; nobody keeps a thread for longer by saying nothing
        server_version = "mediamill"
        sys_version = ""

        def do_GET(self) -> None:
            """Answer, or say why not."""
            page = pages.get(self.path.partition("?")[0])
            try:
                answer = page() if page else _json({"status": "not_found"}, HTTPStatus.NOT_FOUND)
            except Exception as error:
                log.exception("sign_not_shown", path=self.path.partition("?")[0], exc_info=error)
                answer = _json({"status": "internal_error"}, HTTPStatus.INTERNAL_SERVER_ERROR)
            self._send(*answer)

        do_HEAD = do_GET  # noqa: N815 - the standard library's name

        def _send(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
            self.send_response(status)
            headers = {"Content-Type": content_type, "Content-Length": len(body), "Cache-Control": "no-store"}
            for name, value in headers.items():
                self.send_header(name, str(value))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *values: Any) -> None:  # noqa: A002 - the standard library's name
            """Write nothing: these are asked every few seconds."""

    return Handler
