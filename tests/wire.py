"""A wire between a service and one of its servers, to be cut, held, slowed and tampered with."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

BLOCK = 1 << 16
UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/xml\r\nContent-Length: 91\r\n"
    b"Connection: close\r\n\r\n"
    b"<?xml version='1.0'?><Error><Code>ServiceUnavailable</Code><Message>Busy.</Message></Error>"
)


@dataclass
class Stop:
    """One point at which one connection is stopped: at the first block to the server that contains `pattern`.

    With `then`, at the next block of that connection that contains `then`.
    """

    pattern: bytes
    then: bytes = b""
    after: bool = False  # let the block reach the server first, and lose only the answer
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    hang_up: bool = False  # instead of going on

    def release(self, *, hang_up: bool = False) -> None:
        """Let the block go on, or break the connection instead."""
        self.hang_up = hang_up
        self.go_on.set()


class Wire:
    """Passes bytes between clients and one server on loopback."""

    def __init__(self, server_url: str) -> None:
        self._parts = urlsplit(server_url)
        assert self._parts.hostname and self._parts.port
        self._server = (self._parts.hostname, self._parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._cut = threading.Event()
        self._frozen = threading.Event()
        self._stops: list[Stop] = []
        self._made: list[Stop] = []
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._lock = threading.Lock()
        self.bytes_per_s = 0  # 0: as fast as it goes
        self.unavailable = False  # answer HTTP requests with 503
        self.truncate_puts = 0  # how many uploads are still to be cut off in the middle
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The server's URL by way of this wire."""
        user, _, _ = self._parts.netloc.rpartition("@")
        return self._parts._replace(
            netloc=f"{user}@127.0.0.1:{self.port}" if user else f"127.0.0.1:{self.port}"
        ).geturl()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for stop in self._made:
            stop.go_on.set()
        self.thaw()
        self.cut()
        self._listener.close()

    def stop_at(self, pattern: bytes, *, then: bytes = b"", after: bool = False) -> Stop:
        """Stop the next connection that sends `pattern`, or `then` after it."""
        stop = Stop(pattern, then, after)
        with self._lock:
            self._stops.append(stop)
            self._made.append(stop)
        return stop

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

    def freeze(self) -> None:
        """Pass nothing on, and break nothing: a cable that was pulled."""
        self._frozen.set()

    def thaw(self) -> None:
        """Pass on what was held back."""
        self._frozen.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._cut.is_set():
                client.close()
            elif self.unavailable:
                threading.Thread(target=_refuse, args=(client,), daemon=True).start()
            else:
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._server)
        except OSError:
            client.close()
            return
        with self._lock:
            self._pairs.append((client, server))
        threading.Thread(target=self._up, args=(client, server), daemon=True).start()
        threading.Thread(target=self._down, args=(client, server), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        awaited: list[Stop] = []
        with suppress(OSError):
            while block := client.recv(BLOCK):
                self._wait(len(block))
                stop = self._due(block, awaited)
                if self.unavailable or self._truncated(server, block) or _stopped(stop, client, server, block):
                    break
        _hang_up(client, server)

    def _down(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while block := server.recv(BLOCK):
                self._wait(len(block))
                client.sendall(block)
        _hang_up(client, server)

    def _due(self, block: bytes, awaited: list[Stop]) -> Stop | None:
        """The stop that this block has come to. `awaited` are those whose first pattern this connection has sent."""
        for stop in awaited:
            if stop.then in block:
                awaited.remove(stop)
                return stop
        with self._lock:
            met = next((stop for stop in self._stops if stop.pattern in block), None)
            if met is None:
                return None
            self._stops.remove(met)
        if not met.then:
            return met
        awaited.append(met)
        return None

    def _truncated(self, server: socket.socket, block: bytes) -> bool:
        with self._lock:
            if not (self.truncate_puts and block.startswith(b"PUT ") and b"/jobs/" in block):
                return False
            self.truncate_puts -= 1
        head, _, body = block.partition(b"\r\n\r\n")
        server.sendall(head + b"\r\n\r\n" + body[: len(body) // 2])
        return True

    def _wait(self, size: int) -> None:
        if self.bytes_per_s:
            time.sleep(size / self.bytes_per_s)
        while self._frozen.is_set():
            time.sleep(0.02)


def _stopped(stop: Stop | None, client: socket.socket, server: socket.socket, block: bytes) -> bool:
    """Send a block on, if a stop does not forbid it. True if the connection is to end."""
    if stop is None:
        server.sendall(block)
        return False
    if stop.after:
        client.shutdown(socket.SHUT_RDWR)  # before the server can answer
        server.sendall(block)
        stop.reached.set()
        return True
    stop.reached.set()
    stop.go_on.wait()
    if not stop.hang_up:
        server.sendall(block)
    return stop.hang_up


def _refuse(client: socket.socket) -> None:
    """Take one request whole and answer it with 503."""
    with suppress(OSError), client:
        client.settimeout(10)
        request = b""
        while b"\r\n\r\n" not in request and (block := client.recv(BLOCK)):
            request += block
        head, _, body = request.partition(b"\r\n\r\n")
        wanted = [
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        ]
        left = sum(wanted) - len(body)
        while left > 0 and (block := client.recv(BLOCK)):
            left -= len(block)
        client.sendall(UNAVAILABLE)


def _hang_up(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
        end.close()


def endpoint(storage_url: str) -> str:
    """Where the S3 server of a storage URL listens, for a wire to it."""
    return "http://" + storage_url.rpartition("@")[2].partition("?")[0]


def s3_by_way_of(wire: Wire, storage_url: str) -> str:
    """A storage URL by way of a wire."""
    head, _, tail = storage_url.rpartition("@")
    return f"{head}@127.0.0.1:{wire.port}/{tail.partition('/')[2]}"
