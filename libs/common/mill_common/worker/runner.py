"""A worker process's slots: claim, run, and at once the next."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import sentry_sdk
import structlog
from sqlalchemy.exc import SQLAlchemyError

from mill_common.errors import LeaseLost, ShuttingDown
from mill_common.queue import Claim, TaskQueue
from mill_common.settings import Settings
from mill_common.storage import ObjectStore
from mill_common.worker.attempt import attempt
from mill_common.worker.context import Handler
from mill_common.worker.running import RunningTask

log = structlog.get_logger(__name__)

_BEAT_S = 1.0  # how often tasks are looked after, at the most


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
    ) -> None:
        self.name = worker_name(service)
        self.queue_name = queue_name
        self._handlers = handlers
        self._queue = queue
        self._store = store
        self._settings = settings
        self._free = threading.Semaphore(slots)
        self.idle = threading.Event()  # set while a slot waits for work
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._beat_s = min(_BEAT_S, settings.heartbeat_s)
        self._running: set[RunningTask] = set()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix=f"{service}-slot")
        self._claiming = threading.Thread(target=self._claim_forever, name=f"{service}-claim", daemon=True)
        self._beating = threading.Thread(target=self._beat_forever, name=f"{service}-beat", daemon=True)
        self._guarding = threading.Thread(target=self._guard_forever, name=f"{service}-guard", daemon=True)

    def start(self) -> None:
        """Begin to claim."""
        self._claiming.start()
        self._beating.start()
        self._guarding.start()

    def wake(self) -> None:
        """Look for work now."""
        self.idle.clear()
        self._wake.set()

    def ask_to_stop(self) -> None:
        """Claim no more, and have what runs handed back."""
        self._stopping.set()
        self._wake.set()
        for task in self._tasks():
            task.put_down(ShuttingDown())

    def stop(self) -> None:
        """Claim no more, hand back what runs, and wait until it is handed back."""
        self.ask_to_stop()
        self._claiming.join()  # before the pool goes, or it might still submit to it
        self._pool.shutdown(wait=True)
        self._beating.join()
        self._guarding.join()

    def _tasks(self) -> list[RunningTask]:
        with self._lock:
            return list(self._running)

    def _claim_forever(self) -> None:
        while True:
            self._free.acquire()
            self._wake.clear()
            if self._stopping.is_set():
                return
            task = self._take()
            if task is None:
                self._free.release()
                self.idle.set()
                self._wake.wait(self._settings.poll_s)
                self.idle.clear()
            else:
                self._pool.submit(self._run, task)

    def _take(self) -> RunningTask | None:
        try:
            claim = self._queue.claim(self.queue_name, self.name)
        except SQLAlchemyError as error:
            log.warning("claim_failed", error=type(error).__name__)
            return None
        except Exception as error:
            log.exception("claim_crashed", exc_info=error)
            sentry_sdk.capture_exception(error)
            return None
        return self._begin(claim) if claim else None

    def _begin(self, claim: Claim) -> RunningTask:
        scratch = self._settings.scratch / f"{claim.task_id}-{claim.epoch}"
        task = RunningTask(claim, self._queue, self._store, self._settings, scratch)
        with self._lock:
            self._running.add(task)
        if self._stopping.is_set():
            task.put_down(ShuttingDown())
        return task

    def _run(self, task: RunningTask) -> None:
        claim = task.claim
        bound = {"job": str(claim.job.id), "task": claim.name, "epoch": claim.epoch}
        try:
            with structlog.contextvars.bound_contextvars(**bound):
                attempt(task, self._handlers.get(claim.kind), self._queue, self._store)
        finally:
            with self._lock:
                self._running.discard(task)
            shutil.rmtree(task.scratch, ignore_errors=True)
            self._free.release()
            self._wake.set()

    def _beat_forever(self) -> None:
        # Goes on while tasks are being handed back, or their leases would end during a slow shutdown.
        while not self._stopping.is_set() or self._tasks():
            for task in self._tasks():
                self._beat(task)
            if self._stopping.wait(self._beat_s):
                time.sleep(self._beat_s / 10)

    def _beat(self, task: RunningTask) -> None:
        try:
            task.beat()
        except SQLAlchemyError as error:
            log.warning("heartbeat_failed", task=str(task.claim.task_id), error=type(error).__name__)
        except Exception as error:
            log.exception("heartbeat_crashed", task=str(task.claim.task_id), exc_info=error)
            sentry_sdk.capture_exception(error)

    def _guard_forever(self) -> None:
        # Apart from the heartbeats: one that waits for a database that says nothing must not let its task outlive
        # the lease.
        while not self._stopping.is_set() or self._tasks():
            for task in self._tasks():
                if task.lease_may_be_over():
                    task.put_down(LeaseLost())
            if self._stopping.wait(self._beat_s):
                time.sleep(self._beat_s / 10)
