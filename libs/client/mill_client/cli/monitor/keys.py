"""Keys as they are pressed. The terminal is given back as it was, whatever happens."""

from __future__ import annotations

import os
import select
import sys
import time
from types import TracebackType
from typing import Any, Self

_NAMED = {
    b"\x1b[A": "up",
    b"\x1bOA": "up",
    b"k": "up",
    b"\x1b[B": "down",
    b"\x1bOB": "down",
    b"j": "down",
    b"\x1b[5~": "page up",
    b"\x1b[6~": "page down",
    b"\x04": "q",
}


class Keys:
    """A context manager in which keys come one by one and unseen. Without a terminal to read there are none."""

    def __init__(self) -> None:
        self._fd: int | None = None
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        try:
            import termios  # noqa: PLC0415 - Windows has none
        except ImportError:
            return self
        try:
            fd = sys.stdin.fileno()
            self._before = termios.tcgetattr(fd)
        except (OSError, ValueError, termios.error):
            return self
        quiet = termios.tcgetattr(fd)
        quiet[3] &= ~(termios.ICANON | termios.ECHO)
        quiet[6][termios.VMIN], quiet[6][termios.VTIME] = 1, 0
        quiet[6][termios.VSUSP] = b"\0"  # stopped, it would leave its screen behind
        termios.tcsetattr(fd, termios.TCSADRAIN, quiet)
        self._fd = fd
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        if self._fd is not None:
            import termios  # noqa: PLC0415 - it was there before

            termios.tcsetattr(self._fd, termios.TCSAFLUSH, self._before)

    def read(self, wait_s: float) -> list[str]:
        """The keys pressed, as soon as there are any; none after `wait_s` seconds."""
        if self._fd is None:
            time.sleep(wait_s)
            return []
        if not select.select([self._fd], [], [], wait_s)[0]:
            return []
        typed = os.read(self._fd, 1024)
        return _names(typed) if typed else ["q"]  # the terminal is gone


def _names(typed: bytes) -> list[str]:
    found = []
    while typed:
        name = next((key for key in _NAMED if typed.startswith(key)), None)
        if name is not None:
            found.append(_NAMED[name])
        elif typed[:1] == b"\x1b":
            return found  # of an unknown sequence nothing is taken for a letter
        else:
            found.append(typed[:1].decode("latin-1"))
        typed = typed[len(name or b"?") :]
    return found
