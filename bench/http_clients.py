"""Clients with little more in them than a socket, so that what is timed is the server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import cycle


@dataclass(frozen=True)
class Ask:
    """One request without a body."""

    path: str
    method: str = "GET"
    status: int = 200  # of the answer, or the figure is worth nothing


class Connection:
    """A connection that is kept open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, key: str) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f"Host: bench\r\nX-API-Key: {key}\r\nContent-Length: 0\r\n\r\n"

    @classmethod
    async def open(cls, port: int, key: str) -> Connection:
        """Connect to loopback."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        return cls(reader, writer, key)

    async def ask(self, ask: Ask) -> float:
        """Send a request and read the whole answer; the seconds that it took."""
        began = time.perf_counter()
        self._writer.write(f"{ask.method} {ask.path} HTTP/1.1\r\n{self._head}".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        took = time.perf_counter() - began
        if int(head.split(b" ", 2)[1]) != ask.status:
            raise RuntimeError(f"{ask.method} {ask.path}: {head.decode()}{body.decode()}")
        return took

    def close(self) -> None:
        """Close it."""
        self._writer.close()


async def one_by_one(port: int, key: str, asks: list[Ask]) -> list[float]:
    """Seconds of each request, one client sending them one after the other."""
    connection = await Connection.open(port, key)
    try:
        return [await connection.ask(ask) for ask in asks]
    finally:
        connection.close()


async def per_second(port: int, key: str, asks: list[Ask], *, clients: int, for_s: float) -> float:
    """Requests a second that so many clients get answered, who ask again and again, each beginning elsewhere."""
    connections = [await Connection.open(port, key) for _ in range(clients)]
    try:
        until = time.perf_counter() + for_s
        began = time.perf_counter()
        turns = (_from(asks, number * len(asks) // clients) for number in range(clients))
        counts = await asyncio.gather(
            *map(_repeat, connections, turns, [lambda: time.perf_counter() < until] * clients)
        )
        return sum(counts) / (time.perf_counter() - began)
    finally:
        for connection in connections:
            connection.close()


def _from(asks: list[Ask], start: int) -> Iterator[Ask]:
    return cycle(asks[start:] + asks[:start])


async def _repeat(connection: Connection, asks: Iterator[Ask], go_on: Callable[[], bool]) -> int:
    count = 0
    while go_on():
        await connection.ask(next(asks))
        count += 1
    return count
