"""The `mill` command on a real terminal, whose screen a test reads and whose keys it presses."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from client.processes import MILL
from waiting import wait_for

_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]")


class Terminal:
    """A pseudo-terminal with a command on it."""

    def __init__(self, child: subprocess.Popen[bytes], ours: int, theirs: int) -> None:
        self.child = child
        self._ours, self._theirs = ours, theirs
        self._written = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def written(self) -> str:
        """Everything so far, as it was sent."""
        return self._written.decode(errors="replace")

    @property
    def screen(self) -> list[str]:
        """What was drawn last as a whole, line by line, without styles."""
        *_, whole, _drawn_just_now = ["", *self.written.split("\x1b[H")]
        return _CODES.sub("", whole or self.written).replace("\r", "").split("\n")

    def shows(self, text: str) -> None:
        """Wait until the screen has it."""
        wait_for(lambda: self.child.poll() is not None or any(text in line for line in self.screen))
        assert any(text in line for line in self.screen), self.written

    def press(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def modes(self) -> list[Any]:
        """How the terminal is set."""
        return termios.tcgetattr(self._theirs)

    def ended(self) -> int:
        """The exit code, once there is one and all that was written is read."""
        return self.child.wait(60)

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._ours, 65536)
            except OSError:  # Linux says EIO where the other end is closed
                return
            if not chunk:
                return
            self._written += chunk


@contextmanager
def on_a_terminal(
    *arguments: str, env: Mapping[str, str], columns: int = 80, lines: int = 24
) -> Iterator[tuple[Terminal, list[Any]]]:
    """A command on a terminal of that size, and how the terminal was set before."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    before = termios.tcgetattr(theirs)
    sized = {name: text for name, text in env.items() if name not in {"COLUMNS", "LINES"}}
    child = subprocess.Popen(
        [MILL, *arguments], env=sized, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    terminal = Terminal(child, ours, theirs)
    try:
        yield terminal, before
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
        os.close(theirs)
        terminal._reader.join(10)
        os.close(ours)
