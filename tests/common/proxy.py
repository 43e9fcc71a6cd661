"""A wire to a database that can be cut, and that can swallow the answer to a COMMIT."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Proxy:
    """Passes bytes between clients and one server on loopback."""

    def __init__(self, server_url: str) -> None:
        parts = urlsplit(server_url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.url = parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}").geturl()
        self._cut = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self.lose_next_commit = threading.Event()  # let it reach the server, then break the connection
        self.lost = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.cut()
        self._listener.close()

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        self._cut.set()
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _hang_up(*pair)

    def mend(self) -> None:
        """Let clients through again."""
        self._cut.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._cut.is_set():
                client.close()
                continue
            server = socket.create_connection(self._server)
            with self._lock:
                self._pairs.append((client, server))
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=self._down, args=(client, server), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while block := client.recv(1 << 16):
                if b"COMMIT" in block and self.lose_next_commit.is_set():
                    self.lose_next_commit.clear()
                    self._swallow(client, server, block)
                    return
                server.sendall(block)
        _hang_up(client, server)

    def _swallow(self, client: socket.socket, server: socket.socket, block: bytes) -> None:
        client.shutdown(socket.SHUT_RDWR)  # before the server can answer
        server.sendall(block)
        self.lost.set()

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while block := server.recv(1 << 16):
                client.sendall(block)
        _hang_up(client, server)


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()
