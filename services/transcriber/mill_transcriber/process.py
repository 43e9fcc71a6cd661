"""A child process that speaks JSON lines, seen from its parent."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from mill_transcriber.pulse import Pulse

Answer = dict[str, Any]
_LOG_LINES = 40


class ChildGone(Exception):
    """The child process has ended."""

    def __init__(self, code: int) -> None:
        super().__init__(f"ended with code {code}" if code >= 0 else f"was killed by signal {-code}")
        self.code = code


class ChildProcess:
    """A process with orders going in and answers coming out.

    A thread that lives as long as the child starts it: the kernel ends the child with the thread that made it, not
    with the process.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.log: deque[str] = deque(maxlen=_LOG_LINES)
        self.cpu_s = 0.0  # as of its last answer
        self.peak_memory = 0  # bytes, as of its last answer
        self._answers: queue.SimpleQueue[Answer | int] = queue.SimpleQueue()
        self._gone: int | None = None
        started: Future[subprocess.Popen[bytes]] = Future()
        self._thread = threading.Thread(target=self._live, args=(command, env, started), name="child", daemon=True)
        self._thread.start()
        self._process = started.result()
        self.pulse = Pulse(self.pid)

    def _live(self, command: Sequence[str], env: Mapping[str, str], started: Future[subprocess.Popen[bytes]]) -> None:
        pipe = subprocess.PIPE
        try:
            # A session of its own: Ctrl-C is for the parent, which then decides.
            process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=env, start_new_session=True)
        except OSError as error:
            started.set_exception(error)
            return
        started.set_result(process)
        logger = threading.Thread(target=self._keep_log, args=(process,), name="child-log", daemon=True)
        logger.start()
        assert process.stdout is not None
        with process.stdout as answers:
            for line in answers:
                if line.endswith(b"\n"):
                    self._answers.put(json.loads(line))
        code = process.wait()
        logger.join()
        self._answers.put(code)

    def _keep_log(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                self.log.append(line.decode(errors="replace").rstrip())

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._thread.is_alive()

    def send(self, order: Mapping[str, Any]) -> None:
        """Give an order. A child that has ended takes it in silence; `receive` then tells."""
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()

    def receive(self, timeout_s: float) -> Answer | None:
        """The next answer, or None if none comes in time.

        Raises:
            ChildGone: After the last answer.
        """
        if self._gone is None:
            try:
                answer = self._answers.get(timeout=timeout_s)
            except queue.Empty:
                return None
            if not isinstance(answer, int):
                self.pulse.beat()
                self.cpu_s, self.peak_memory = answer["cpu_s"], answer["peak_memory"]
                return answer
            self._gone = answer
        raise ChildGone(self._gone)

    def close(self, timeout_s: float = 0.0) -> None:
        """End the process: by the end of its orders if that takes less than `timeout_s`, else by force."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            self._process.kill()
            self._thread.join()
