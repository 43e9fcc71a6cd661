"""A worker process's slots: claim, run, and at once the next."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sentry_sdk
import structlog
from sqlalchemy.exc import SQLAlchemyError

from mill_common.errors import ShuttingDown
from mill_common.metrics.instruments import CLAIM_SECONDS
from mill_common.queue import Claim, TaskQueue
from mill_common.settings import Settings
from mill_common.storage import ObjectStore
from mill_common.tracing import process
from mill_common.worker.attempt import attempt
from mill_common.worker.beats import Beats
from mill_common.worker.context import Handler
from mill_common.worker.gate import Gate
from mill_common.worker.presence import Presence, State
from mill_common.worker.running import RunningTask
from mill_common.worker.scratch import Scratch
from mill_common.worker.shift import Shift
from mill_common.worker.telling import Telling, named
from mill_common.worker.wishes import Wishes
from mill_common.workers import WorkerState

log = structlog.get_logger(__name__)

_PAUSED_S = 1.0  # how often a worker that pauses looks whether it still must, at the least


def worker_name(service: str) -> str:
    """A name that no other living worker has: host, service, process."""
    return f"{socket.gethostname()}:{service}:{os.getpid()}"


class Runner:
    """Runs the tasks of one queue on `slots` threads.

    Wake-ups make it look for work at once. Without any it looks every `poll_s` seconds, so that work goes on while the
    broker is gone.
    """

    def __init__(
        self,
        *,
        service: str,
        queue_name: str,
        handlers: Mapping[str, Handler],
        queue: TaskQueue,
        store: ObjectStore,
        settings: Settings,
        slots: int,
        capability: Callable[[], Mapping[str, Any]] | None = None,
        shift: Shift | None = None,
    ) -> None:
        self.name = worker_name(service)
        self.queue_name = queue_name
        self._handlers = handlers
        self._queue = queue
        self._store = store
        self._settings = settings
        self._shift = shift or Shift()
        self._scratch = Scratch(settings.scratch, enough=settings.scratch_free_bytes)
        self._wishes = Wishes(queue.database, name=self.name, queue=queue_name)
        self._gate = Gate(self._scratch, settings, self._wishes)
        self._presence = Presence(
            queue.database,
            name=self.name,
            service=service,
            queue=queue_name,
            slots=slots,
            heartbeat_s=settings.heartbeat_s,
            capability=capability,
        )
        self._free = threading.Semaphore(slots)
        self.idle = threading.Event()  # set while a slot waits for work
        self._wake = threading.Event()
        self._draining = threading.Event()
        self._stopping = threading.Event()
        self._running: set[RunningTask] = set()
        self._claimed = 0
        self._dismissed = False  # by an operator
        self._found_nothing = False  # at the last look
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix=f"{service}-slot")
        self._claiming = threading.Thread(target=self._claim_on, name=f"{service}-claim", daemon=True)
        sweep = (queue.database, self._stopping, queue.policy.lease_s)
        self._sweeping = threading.Thread(
            target=self._scratch.sweep_for_ever, args=sweep, name=f"{service}-sweep", daemon=True
        )
        self._beats = Beats(
            self._tasks,
            service=service,
            heartbeat_s=settings.heartbeat_s,
            stopping=self._stopping,
            also=lambda: self._presence.beat(*self._state()),
        )

    def start(self) -> None:
        """Begin to claim."""
        for thread in (self._claiming, self._sweeping, self._beats):
            thread.start()

    def wake(self) -> None:
        """Look for work now."""
        self.idle.clear()
        self._wake.set()

    @property
    def running(self) -> int:
        """How many tasks run."""
        return len(self._tasks())

    @property
    def busy(self) -> bool:
        """Whether it runs something, or may be about to."""
        return self._claiming.is_alive() or bool(self._tasks())

    def drain(self) -> None:
        """Claim no more."""
        self._draining.set()
        self.wake()

    def hand_back(self, *, longer_than_s: float = 0.0) -> None:
        """Have handed back what will not end within so many seconds, going by its progress."""
        for task in self._tasks():
            if task.needs_longer_than(longer_than_s):
                task.put_down(ShuttingDown())

    def ask_to_stop(self) -> None:
        """Claim no more, and have what runs handed back."""
        self._stopping.set()
        self.drain()
        for task in self._tasks():
            task.put_down(ShuttingDown())

    def stop(self) -> None:
        """Claim no more, hand back what runs, and wait until it is handed back."""
        self.ask_to_stop()
        for thread in (self._claiming, self._sweeping, self._beats):
            thread.join()
        self._presence.close()

    def _tasks(self) -> list[RunningTask]:
        with self._lock:
            return list(self._running)

    def _claim_on(self) -> None:
        while self._claim_next():
            pass
        self._pool.shutdown(wait=True)
        if not self._draining.is_set() or self._dismissed:
            self._shift.over()

    def _claim_next(self) -> bool:
        """Claim once, or wait; False when there is to be no more claiming."""
        self._free.acquire()
        self._wake.clear()
        if self._draining.is_set() or self._claimed == self._shift.tasks:
            return False
        alone = not self._tasks()  # before the look: what ends after it may have planned more
        opens = self._gate.opens()
        task = self._take() if opens else None
        if task is not None:
            self._claimed += 1
            self._pool.submit(self._run, task)
            return True
        self._free.release()
        if opens and alone and self._found_nothing and self._shift.until_empty:
            return False
        self._wait(idle=opens)
        return True

    def _wait(self, *, idle: bool) -> None:
        if idle:
            self.idle.set()
        self._wake.wait(self._settings.poll_s if idle else min(self._settings.poll_s, _PAUSED_S))
        self.idle.clear()

    def _take(self) -> RunningTask | None:
        self._found_nothing = False
        try:
            with CLAIM_SECONDS.labels(self.queue_name).time():
                claim = self._queue.claim(self.queue_name, self.name)
        except SQLAlchemyError as error:
            log.warning("claim_failed", error=type(error).__name__)
            return None
        except Exception as error:
            log.exception("claim_crashed", exc_info=error)
            sentry_sdk.capture_exception(error)
            return None
        self._found_nothing = claim is None
        return self._begin(claim) if claim else None

    def _begin(self, claim: Claim) -> RunningTask:
        self._gate.breaker.began(claim.task_id)
        scratch = self._scratch.folder_of(claim.task_id, claim.epoch)
        task = RunningTask(claim, self._queue, self._store, self._settings, scratch)
        with self._lock:
            self._running.add(task)
        if self._stopping.is_set():
            task.put_down(ShuttingDown())
        return task

    def _run(self, task: RunningTask) -> None:
        claim = task.claim
        error: Exception | None = None
        telling = Telling(task)
        try:
            with structlog.contextvars.bound_contextvars(**named(claim)):
                error = process(claim, lambda: attempt(task, self._handlers.get(claim.kind), self._queue, self._store))
                telling.ended(error)
        finally:
            with self._lock:
                self._running.discard(task)
            shutil.rmtree(task.scratch, ignore_errors=True)
            self._gate.breaker.ended(claim.task_id, error)
            self._free.release()
            self._wake.set()

    def _state(self) -> State:
        if self._wishes.drains() and not self._draining.is_set():
            self._dismissed = True
            self.drain()
        if self._draining.is_set():
            return WorkerState.DRAINING, "drained by an operator" if self._dismissed else None
        reason = self._gate.reason()
        return (WorkerState.PAUSED if reason else WorkerState.RUNNING), reason
