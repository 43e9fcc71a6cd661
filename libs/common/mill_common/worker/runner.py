"""A worker process's slots: claim, run, and at once the next.

Of the slots that have nothing to do, one looks for work and the others wait for it. Whichever finds a task leaves the
look to the next and runs the task itself, so that no task is handed from thread to thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
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
from mill_common.worker.presence import Presence, State, worker_name
from mill_common.worker.running import RunningTask
from mill_common.worker.scratch import Scratch
from mill_common.worker.shift import Shift
from mill_common.worker.telling import Telling, named
from mill_common.worker.unanswered import Unanswered
from mill_common.worker.wishes import Wishes
from mill_common.workers import WorkerState

log = structlog.get_logger(__name__)

_CLAIM_S = 1.0  # how long a claim takes, unless the database is in trouble
_PAUSED_S = 1.0  # how often a worker that pauses looks whether it still must, at the least


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
        self._unanswered = Unanswered(queue, queue_name=queue_name, worker=self.name)
        self._presence = Presence(
            queue.database,
            name=self.name,
            service=service,
            queue=queue_name,
            slots=slots,
            heartbeat_s=settings.heartbeat_s,
            capability=capability,
        )
        self._look = threading.Lock()  # held by the slot that looks for work
        self.idle = threading.Event()  # set while a slot waits for work
        self._wake = threading.Event()
        self._draining = threading.Event()
        self._stopping = threading.Event()
        self._running: set[RunningTask] = set()
        self._at_work = slots
        self._claimed = 0
        self._over = False  # no slot is to claim any more
        self._dismissed = False  # by an operator
        self._found_nothing = False  # at the last look
        self._lock = threading.Lock()
        self._slots = [
            threading.Thread(target=self._work_on, name=f"{service}-slot-{number}", daemon=True)
            for number in range(slots)
        ]
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
        for thread in (*self._slots, self._sweeping):
            thread.start()
        self._beats.start()

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
        return any(slot.is_alive() for slot in self._slots)

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
        # A claim that is under way would take again what is handed back now.
        if self._look.acquire(timeout=_CLAIM_S):
            self._look.release()
        for task in self._tasks():
            task.put_down(ShuttingDown())

    def stop(self) -> None:
        """Claim no more, hand back what runs, and wait until it is handed back."""
        self.ask_to_stop()
        for thread in (*self._slots, self._sweeping):
            thread.join()
        self._beats.join()
        self._presence.close()

    def _tasks(self) -> list[RunningTask]:
        with self._lock:
            return list(self._running)

    def _work_on(self) -> None:
        while (task := self._next()) is not None:
            self._run(task)
        with self._lock:
            self._at_work -= 1
            last = not self._at_work
        if last and (not self._draining.is_set() or self._dismissed):
            self._shift.over()

    def _next(self) -> RunningTask | None:
        """Claim a task, waiting for one if need be; None when there is to be no more claiming."""
        with self._look:
            while not self._over:
                self._wake.clear()
                if self._draining.is_set() or self._claimed == self._shift.tasks:
                    break
                alone = not self._tasks()  # before the look: what ends after it may have planned more
                opens = self._gate.opens()
                task = self._take() if opens else None
                if task is not None:
                    self._claimed += 1
                    return task
                if opens and alone and self._found_nothing and self._shift.until_empty:
                    break
                self._wait(idle=opens)
            self._over = True
        return None

    def _wait(self, *, idle: bool) -> None:
        if idle:
            self.idle.set()
        self._wake.wait(self._settings.poll_s if idle else min(self._settings.poll_s, _PAUSED_S))
        self.idle.clear()

    def _take(self) -> RunningTask | None:
        self._found_nothing = False
        try:
            self._unanswered.settle({(task.claim.task_id, task.claim.epoch) for task in self._tasks()})
            with CLAIM_SECONDS.labels(self.queue_name).time():
                claim = self._queue.claim(self.queue_name, self.name)
        except SQLAlchemyError as error:
            self._unanswered.suspect()
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
        except Exception as crash:  # of what stands around the attempt, which itself never raises
            log.exception("slot_crashed", exc_info=crash)
            sentry_sdk.capture_exception(crash)
        finally:
            with self._lock:
                self._running.discard(task)
            task.remove_scratch()
            self._gate.breaker.ended(claim.task_id, error)
            self._wake.set()

    def _state(self) -> State:
        if self._wishes.drains() and not self._draining.is_set():
            self._dismissed = True
            self.drain()
        if self._draining.is_set():
            return WorkerState.DRAINING, "drained by an operator" if self._dismissed else None
        reason = self._gate.reason()
        return (WorkerState.PAUSED if reason else WorkerState.RUNNING), reason
