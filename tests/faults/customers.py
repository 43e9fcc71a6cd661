"""Who hands in jobs while things break, asks again until an answer comes, and knows what must have become of each."""

from __future__ import annotations

import queue
import threading
import time
from contextlib import suppress
from itertools import count
from pathlib import Path

from faults.clients import ready
from faults.cluster import KEY

from mill_client import Client, Conflict, JobSpec, MillClientError
from mill_common.states import JOB_ENDED, JobStatus

OWNERS = ("ada", "grace", "mary")
WAITING_JOBS = 4
AGAIN_S = 0.3
SPEC = JobSpec(renditions=[180])
ENDS = ["job.completed", "job.failed", "job.cancelled"]


class Customers:
    """Keep a few jobs waiting, by HTTP, each under an idempotency key of its own."""

    def __init__(self, url: str, sources: list[Path], *, told_at: str) -> None:
        self.jobs: dict[str, str] = {}  # each job's owner
        self._url, self._sources, self._told_at = url, sources, told_at
        self._admin = Client(url, KEY)
        self._clients: dict[str, Client] = {}
        self._numbers = count()
        self._asked: set[str] = set()  # to cancel
        self._cancelled: set[str] = set()  # and the answer was yes
        self._ended: set[str] = set()
        self._cancels: queue.SimpleQueue[float] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="customers", daemon=True)

    def ready(self) -> bool:
        """Whether the gateway answers."""
        return ready(self._admin)

    def start(self) -> None:
        """Get keys and ask to be told, while nothing is broken yet, and begin."""
        for owner in OWNERS:
            key = self._admin.keys.create(f"key of {owner}", owner=owner).key
            self._clients[owner] = Client(self._url, key)
            self._clients[owner].webhooks.create(self._told_at, events=ENDS)
        self._thread.start()

    def stop(self) -> None:
        """Hand in no more, once what was begun has been answered."""
        self._stopping.set()
        self._thread.join()
        for client in (self._admin, *self._clients.values()):
            client.close()

    def cancel(self, which: float) -> None:
        """Have one of the last jobs cancelled; `which` in [0, 1) says which."""
        self._cancels.put(which)

    def wanted(self, job: str) -> set[JobStatus]:
        """How a job may have ended."""
        if job in self._cancelled:
            return {JobStatus.CANCELLED}
        # An answer may have been lost, and then the second one was that the job has ended.
        return {JobStatus.COMPLETED, JobStatus.CANCELLED} if job in self._asked else {JobStatus.COMPLETED}

    def _go_on(self) -> None:
        while not self._stopping.wait(AGAIN_S):
            self._look()
            if len(self.jobs) - len(self._ended) < WAITING_JOBS:
                self._hand_in(next(self._numbers))
            with suppress(queue.Empty):
                self._cancel(self._cancels.get_nowait())

    def _look(self) -> None:
        with suppress(MillClientError):
            for job, owner in self.jobs.items():
                if job not in self._ended and self._clients[owner].jobs.get(job).status.value in JOB_ENDED:
                    self._ended.add(job)

    def _hand_in(self, number: int) -> None:
        owner, source = OWNERS[number % len(OWNERS)], self._sources[number % len(self._sources)]
        while True:
            with suppress(MillClientError):
                job = self._clients[owner].submit(source, spec=SPEC, idempotency_key=f"soak-{number}")
                self.jobs[job.job_id] = owner
                return
            time.sleep(AGAIN_S)

    def _cancel(self, which: float) -> None:
        last = list(self.jobs)[-WAITING_JOBS:]
        if not last:
            return
        job = last[int(which * len(last))]
        self._asked.add(job)
        while True:
            try:
                self._clients[self.jobs[job]].jobs.cancel(job)
            except Conflict:
                return
            except MillClientError:
                time.sleep(AGAIN_S)
            else:
                self._cancelled.add(job)
                return
