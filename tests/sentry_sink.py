"""A server that takes what Sentry's SDK sends, and keeps every byte of it."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Sink:
    """What was received, decompressed."""

    def __init__(self, port: int) -> None:
        self.dsn = f"http://publickey@127.0.0.1:{port}/7"
        self.received: list[bytes] = []
        self._lock = threading.Lock()

    def take(self, envelope: bytes) -> None:
        """Keep an envelope."""
        with self._lock:
            self.received.append(envelope)

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of one kind: `event`, `transaction` or `check_in`."""
        with self._lock:
            envelopes = list(self.received)
        return [payload for envelope in envelopes for found, payload in _items(envelope) if found == kind]


def _items(envelope: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    _, _, rest = envelope.partition(b"\n")
    while rest.strip():
        head, _, rest = rest.partition(b"\n")
        header = json.loads(head)
        length = header.get("length")
        payload, rest = (rest[:length], rest[length + 1 :]) if length is not None else rest.split(b"\n", 1)
        if header["type"] in ("event", "transaction", "check_in"):
            yield header["type"], json.loads(payload)


@contextmanager
def sentry_sink() -> Iterator[Sink]:
    """A sink on a port of its own, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            sink.take(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *args: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    sink = Sink(server.server_port)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield sink
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
