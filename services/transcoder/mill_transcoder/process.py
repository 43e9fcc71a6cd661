"""Runs one child process to its end, and never lets it outlive, overgrow or outstay its welcome.

Two threads of harm are met here. A child may hang, fill its disk or flood its pipes: it is watched, limited and
drained. A worker may be told to stop or be killed: the child's whole process group goes with it.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mill_common.errors import ChildFailed
from mill_common.worker.context import TaskContext
from mill_transcoder.limits import limited
from mill_transcoder.streams import Lines, Tail
from mill_transcoder.vitals import Clock, bytes_below, cpu_s, peak_memory

TERMINATE_S = 10.0  # between SIGTERM and SIGKILL
TICK_S = 0.1
WATCH_S = 1.0  # how often, at least, the size of what the child writes is looked at
MAX_STDOUT = 64 * 2**20  # bytes; ffprobe's longest honest answer is far below


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    code: int  # exit status, or minus the number of the signal that killed it
    stdout: str  # empty when lines were taken by `on_line`
    stderr: str  # its end
    cpu_s: float
    peak_memory: int  # bytes


def run_child(
    task: TaskContext,
    argv: Sequence[str],
    *,
    cwd: Path,
    on_line: Callable[[str], bool] | None = None,
    terminate_s: float = TERMINATE_S,
) -> Ended:
    """Run `argv` in the folder `cwd`, which is watched for growth, until it ends.

    `on_line` takes each line of standard output and says whether it shows movement. The child sees none of the
    worker's environment.

    Raises:
        ChildFailed: It could not be started.
        ChildStalled: Nothing moved for `settings.stall_s`.
        Stopped, DeadlineExceeded: The task must be put down. The child's process group is gone by then.
    """
    child = _Child(task, argv, cwd, on_line)
    try:
        child.watch()
    finally:
        ended = child.end(terminate_s)
        child.charge(ended.cpu_s, ended.peak_memory)
    return ended


class _Child:
    def __init__(
        self, task: TaskContext, argv: Sequence[str], cwd: Path, on_line: Callable[[str], bool] | None
    ) -> None:
        self._task, self._cwd = task, cwd
        self._name = Path(argv[0]).name.split("-")[0]
        self._clock = Clock(task.settings.stall_s)
        self._stdout = Lines(on_line, MAX_STDOUT)
        self._stderr = Tail()
        self._stopping = False
        self._peak = 0
        self._charged_s = 0.0
        task.raise_if_stopped()
        # prlimit and setpriv would hide that the command is missing behind an exit status.
        if shutil.which(argv[0]) is None:
            raise ChildFailed(f"{self._name} could not be started: it is not there")
        self._process = _start([*limited(task.settings), *argv], cwd)
        self._selector = selectors.DefaultSelector()
        for stream, sink in ((self._process.stdout, self._stdout), (self._process.stderr, self._stderr)):
            assert stream is not None
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ, sink)

    def watch(self) -> None:
        """Serve the pipes until the child has ended."""
        look_at = sample_at = 0.0
        while not self._ended():
            self._drain(TICK_S)
            if time.monotonic() >= sample_at:
                sample_at = time.monotonic() + TICK_S
                self._peak = max(self._peak, peak_memory(self._process.pid))
            self._task.raise_if_stopped()
            self._clock.note("lines", self._stdout.moves)
            if time.monotonic() >= look_at:
                look_at = time.monotonic() + min(WATCH_S, self._task.settings.stall_s / 4)
                self._clock.note("bytes", bytes_below(self._cwd))
                self.charge(cpu_s(self._process.pid), self._peak)
            self._clock.check(self._name)

    def charge(self, used_s: float, peak: int) -> None:
        """Tell the task what the child has used until now, and what it said last."""
        more_s = max(0.0, used_s - self._charged_s)
        self._charged_s += more_s
        self._task.used(cpu_s=more_s, peak_memory=peak, log_tail=self._stderr.text())

    def _drain(self, timeout_s: float) -> bool:
        """Take what the pipes hold; False if that was nothing."""
        if not self._selector.get_map():
            time.sleep(min(timeout_s, 0.005))  # both pipes are closed: the child is about to end
            return False
        ready = self._selector.select(timeout_s)
        for key, _ in ready:
            block = os.read(key.fd, 65536)
            if not block:
                self._selector.unregister(key.fileobj)
            elif not (self._stopping and key.data is self._stdout):
                key.data.take(block)
        return bool(ready)

    def _ended(self) -> bool:
        # WNOWAIT leaves the zombie in place, so its number stays ours until the group has been killed.
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def end(self, terminate_s: float) -> Ended:
        """Stop what still runs of the group, take the last words, and reap."""
        if not self._ended():
            self._stopping = True
            self._signal(signal.SIGTERM)
            until = time.monotonic() + terminate_s
            while not self._ended() and time.monotonic() < until:
                self._drain(TICK_S)
        self._signal(signal.SIGKILL)
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self._close()
        return Ended(
            code=self._process.returncode,
            stdout=self._stdout.text(),
            stderr=self._stderr.text(),
            cpu_s=usage.ru_utime + usage.ru_stime,
            peak_memory=self._peak or usage.ru_maxrss * 1024,
        )

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _close(self) -> None:
        try:
            while self._drain(0):
                pass
        finally:
            self._selector.close()
            for stream in (self._process.stdout, self._process.stderr):
                assert stream is not None
                stream.close()


def _start(argv: list[str], cwd: Path) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "HOME": str(cwd), "TMPDIR": str(cwd)}
    try:
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ChildFailed(f"{Path(argv[0]).name} could not be started: {error.strerror}") from error
