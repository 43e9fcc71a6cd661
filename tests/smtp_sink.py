"""A mail server that takes every message."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def smtp_sink() -> Iterator[tuple[list[str], int]]:
    """Messages as they came, and the port."""
    messages: list[str] = []

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 sink")
            while line := self.rfile.readline():
                command = line.decode().strip().upper()
                if command == "DATA":
                    self._say("354 go on")
                    messages.append("".join(iter(lambda: self.rfile.readline().decode(), ".\r\n")))
                self._say("221 bye" if command == "QUIT" else "250 ok")
                if command == "QUIT":
                    return

        def _say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            yield messages, server.server_address[1]
        finally:
            server.shutdown()
            serving.join()
