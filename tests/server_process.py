"""Child processes that serve on loopback for the length of a test session, and end with it."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0


class ServerMissing(Exception):
    """A server program is not installed; the message says how to get it."""


class ServerBroken(Exception):
    """A server did not start; the message carries the end of its log."""


def free_port() -> int:
    """A loopback TCP port that nobody listened on a moment ago.

    Below the range that the kernel hands out, so that no outgoing connection takes it before the server does.
    """
    while True:
        port = 10_000 + secrets.randbelow(22_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def program(name: str, *folders: Path) -> Path:
    """Where `name` is installed: the first of `folders` that has it, else PATH.

    Raises:
        ServerMissing: If it is nowhere.
    """
    path = os.pathsep.join([*map(str, folders), os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(name, path=path)
    if found is None:
        raise ServerMissing(f"{name} is not installed: run scripts/bootstrap")
    return Path(found)


def make_folder(prefix: str, *, user: str | None = None) -> Path:
    """A temporary folder; one for another user lies where that user can reach it."""
    if user is None:
        return Path(tempfile.mkdtemp(prefix=prefix))
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    shutil.chown(folder, user)
    return folder


class ServerProcess:
    """One child that ends when asked, and also when the process that started it dies."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        log: Path,
        *,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self._stop_signal = stop_signal
        self._log = log
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [*_dying_with_parent(stop_signal), *map(str, argv)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                user=user,
                group=None if user is None else pwd.getpwnam(user).pw_gid,
                extra_groups=None if user is None else [],
                env={**os.environ, "PYTHONWARNINGS": "ignore", "LC_ALL": "C"},
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    def wait_until(self, answers: Callable[[], bool]) -> None:
        """Wait until `answers()` is true.

        Raises:
            ServerBroken: If the child ends first or takes too long.
        """
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while True:
            if self._child.poll() is not None:
                raise ServerBroken(f"{self._log.name}: ended with {self._child.returncode}\n{self._tail()}")
            if answers():
                return
            if time.monotonic() > give_up_at:
                raise ServerBroken(f"{self._log.name}: no answer in {START_TIMEOUT_S:.0f} s\n{self._tail()}")
            time.sleep(0.05)

    def stop(self, *, kill: bool = False) -> None:
        """End the child and wait for it: politely first, or at once if `kill`."""
        if self._child.poll() is None and not kill:
            self._child.send_signal(self._stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_TIMEOUT_S)
        if self._child.poll() is None:
            self._child.kill()
        self._child.wait()

    def _tail(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]


class Server:
    """A server that can be stopped and started again on the same port, with what it keeps on disk.

    Subclasses say how to `_launch`; whatever they append to `_processes` and put below `folder` goes away with `close`.
    """

    user: str | None = None

    def __init__(self, name: str) -> None:
        self.folder = make_folder(f"mill-{name}-", user=self.user)
        self._processes: list[ServerProcess] = []
        self._prepared = False

    def start(self) -> Self:
        """Start it and return when it answers.

        Raises:
            ServerBroken: If it does not; nothing is left running.
        """
        try:
            if not self._prepared:
                self._prepare()
                self._prepared = True
            self._launch()
        except BaseException:
            self.stop(kill=True)
            raise
        return self

    def stop(self, *, kill: bool = False) -> None:
        """End its processes, the last started first; its files stay for the next `start`."""
        while self._processes:
            self._processes.pop().stop(kill=kill)

    def close(self) -> None:
        """Stop it and remove its files."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self) -> None:
        """Write what must be on disk before the first start."""

    def _launch(self) -> None:
        raise NotImplementedError

    def _run(
        self, argv: Sequence[str | Path], log: str, *, stop_signal: signal.Signals = signal.SIGTERM
    ) -> ServerProcess:
        process = ServerProcess(argv, self.folder / log, user=self.user, stop_signal=stop_signal)
        self._processes.append(process)
        return process


def _dying_with_parent(stop_signal: signal.Signals) -> list[str]:
    # util-linux sets the signal just before it turns into the server, so no code of ours runs between fork and exec.
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", stop_signal.name.removeprefix("SIG"), "--"] if setpriv else []
