"""An HTTP server on loopback that answers exactly as a test tells it to, down to the byte."""

from __future__ import annotations

import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass
class SourceServer:
    """What the server heard. `closing` is set when it must stop."""

    address: str
    port: int = 0
    connections: int = 0
    heads: list[str] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)  # asked for by SNI
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}"

    def header(self, name: str) -> str | None:
        """A header of the last request."""
        for line in self.heads[-1].splitlines()[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None


Answer = Callable[[socket.socket, str, SourceServer], None]  # connection, path with its query, the server


def reply(
    body: bytes = b"", *, status: str = "200 OK", length: int | None = None, headers: tuple[str, ...] = ()
) -> Answer:
    """Answer with `body`; `length` is what Content-Length claims."""
    claimed = len(body) if length is None else length
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {claimed}", *headers, "", ""])
    return lambda connection, path, server: connection.sendall(head.encode("latin-1") + body)


def redirect(location: str, status: str = "302 Found") -> Answer:
    return reply(status=status, headers=(f"Location: {location}",))


def sent(raw: bytes) -> Answer:
    """Answer with `raw`, whatever it is."""
    return lambda connection, path, server: connection.sendall(raw)


@contextmanager
def source_server(
    answer: Answer | dict[str, Answer],
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    certificate: ssl.SSLContext | None = None,
) -> Iterator[SourceServer]:
    """Serve `answer`, or one for each path."""
    heard = SourceServer(address)
    if certificate is not None:
        certificate.sni_callback = lambda _connection, name, _context: heard.names.append(name)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            heard.connections += 1
            try:
                with _secured(self.request, certificate) as connection:
                    _serve(connection, answer, heard)
            except OSError:
                pass  # the client hung up, as many tests have it do

    class Server(socketserver.ThreadingTCPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
        allow_reuse_address = True

    with Server((address, port), Handler) as server:
        heard.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield heard
        finally:
            heard.closing.set()
            server.shutdown()
            thread.join()


def _secured(connection: socket.socket, certificate: ssl.SSLContext | None) -> socket.socket:
    connection.settimeout(10)
    return connection if certificate is None else certificate.wrap_socket(connection, server_side=True)


def _serve(connection: socket.socket, answer: Answer | dict[str, Answer], heard: SourceServer) -> None:
    head = b""
    while b"\r\n\r\n" not in head:
        block = connection.recv(65536)
        if not block:
            return
        head += block
    heard.heads.append(head.decode("latin-1"))
    path = heard.heads[-1].split(" ")[1]
    chosen = answer[path.partition("?")[0]] if isinstance(answer, dict) else answer
    chosen(connection, path, heard)
    connection.shutdown(socket.SHUT_WR)
    connection.recv(65536)  # until the client is done too, or closing resets what it has not read yet
