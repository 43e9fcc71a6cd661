"""The open connections of an engine, kept so that whoever waits on one can be made to give up."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidRequestError


class HungUp(InvalidRequestError):
    """The process is about to end, and asks the database nothing more."""


class Connections:
    """Watches a PostgreSQL engine's connections. SQLite has none to wait on."""

    def __init__(self, engine: Engine) -> None:
        self._sockets: dict[int, socket.socket] = {}
        self._lock = threading.Lock()
        self._hung_up = False
        event.listen(engine, "do_connect", self._before)
        event.listen(engine, "checkout", self._before)
        event.listen(engine, "connect", self._opened, insert=True)  # before SQLAlchemy asks what server it is
        event.listen(engine, "close", self._closing)
        event.listen(engine, "close_detached", self._closing)

    def hang_up(self) -> None:
        """Break every connection and refuse new ones: who waits for an answer gets an error instead."""
        with self._lock:
            self._hung_up = True
            for opened in self._sockets.values():
                _break(opened)

    def _before(self, *_: Any) -> None:
        if self._hung_up:
            raise HungUp("the process is about to end")

    def _opened(self, connection: Any, _record: Any) -> None:
        # A descriptor of our own: psycopg2 tells the number of its own only to those who wait for the answer, too, and
        # by the time that we use it, it might be somebody else's.
        opened = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            self._sockets[id(connection)] = opened
            if self._hung_up:
                _break(opened)

    def _closing(self, connection: Any, *_: Any) -> None:
        with self._lock:
            opened = self._sockets.pop(id(connection), None)
        if opened is not None:
            opened.close()


def _break(opened: socket.socket) -> None:
    with suppress(OSError):
        opened.shutdown(socket.SHUT_RDWR)
