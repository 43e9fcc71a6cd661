"""A TCP relay on loopback between a client and a server: cuts connections, or holds the client's bytes back."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import Self
from urllib.parse import urlsplit

CHUNK = 64 * 1024


class Relay:
    """Passes bytes on. A context manager.

    `cut_after`: each connection breaks after so many bytes from the client.
    `hold_after`: after so many bytes from clients in all, no more pass until `release`.
    """

    def __init__(self, url: str, *, cut_after: int | None = None, hold_after: int | None = None) -> None:
        where = urlsplit(url)
        self._server = (where.hostname or "", where.port or 0)
        self._cut_after = cut_after
        self._hold_after = hold_after
        self._released = Event()
        self._lock = Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[Thread] = []
        self.passed = 0
        self.cuts = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    @property
    def is_holding(self) -> bool:
        return self._hold_after is not None and self.passed >= self._hold_after

    def release(self) -> None:
        self._hold_after = None
        self._released.set()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for end in list(self._open):
            _close(end)
        for thread in self._threads:
            thread.join(10)

    def _start(self, work: object, *arguments: object) -> None:
        thread = Thread(target=work, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(self._server)
                self._open += [client, server]
                self._start(self._up, client, server)
                self._start(self._down, client, server)

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        sent = 0
        with suppress(OSError):
            while chunk := client.recv(CHUNK):
                if self.is_holding:
                    self._released.wait(120)
                server.sendall(chunk)
                sent += len(chunk)
                with self._lock:
                    self.passed += len(chunk)
                if self._cut_after is not None and sent >= self._cut_after:
                    self.cuts += 1
                    break
        _close(client)
        _close(server)

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while chunk := server.recv(CHUNK):
                client.sendall(chunk)
        _close(client)
        _close(server)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
