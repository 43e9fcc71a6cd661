"""Many videos handed in at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import typer

from .._urls import is_url
from ..errors import MillClientError, Stopped
from ..models import Job, JobSpec
from .exits import Exit, exit_code_of
from .follow import Follower
from .output import say, sentence
from .resume import Resumes

if TYPE_CHECKING:
    from .._sync.client import Client

LOOK_S = 1.0
STOP_S = 5.0


@dataclass(frozen=True)
class Order:
    """What is asked for every source."""

    spec: JobSpec | None
    priority: int | None
    deadline: datetime | float | None
    collection: str | None
    metadata: dict[str, str]
    webhook: str | None
    force: bool
    idempotency_key: str | None

    def place(self, client: Client, *, url: str | None = None, upload_id: str | None = None) -> Job:
        """A job of one source."""
        return client.jobs.create(
            url=url,
            upload_id=upload_id,
            spec=self.spec,
            priority=self.priority,
            deadline=self.deadline,
            collection=self.collection,
            metadata=self.metadata,
            webhook=self.webhook,
            force=self.force,
            reuse=not self.force,
            idempotency_key=self.idempotency_key,
        )


class Batch:
    """Uploads sources a few at a time and makes a job of each. One that fails keeps no other from going on."""

    def __init__(self, client: Client, follower: Follower, order: Order) -> None:
        self._client = client
        self._follower = follower
        self._order = order
        self._resumes = Resumes(client)
        self._stop = Event()
        self._failures: list[MillClientError | OSError] = []

    def send(self, sources: Sequence[str], *, parallel: int) -> list[tuple[str, Job]]:
        """The jobs that were made, in the order of their sources. Those made already are shown meanwhile."""
        pool = ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="upload")
        futures = [pool.submit(self._send, source) for source in sources]
        try:
            while wait(futures, timeout=LOOK_S).not_done:
                self._show(futures)
        except KeyboardInterrupt:
            self._interrupt(sources, futures)
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        jobs = []
        for source, future in zip(sources, futures, strict=True):
            try:
                jobs.append((source, future.result()))
            except (MillClientError, OSError) as error:
                self._failed(source, error, alone=len(sources) == 1)
        return jobs

    def end(self) -> None:
        """Exit as the first source that failed calls for; each was complained of when it did."""
        if self._failures:
            raise typer.Exit(exit_code_of(self._failures[0]))

    def _send(self, source: str) -> Job:
        if is_url(source):
            job = self._order.place(self._client, url=source)
        else:
            path = Path(source)
            upload = self._resumes.send(path, self._follower.uploading(source, self._stop))
            job = self._order.place(self._client, upload_id=upload.id)
            self._resumes.forget(path)
        self._follower.submitted(source, job)
        return job

    def _show(self, futures: Sequence[Future[Job]]) -> None:
        made = [future.result().job_id for future in futures if future.done() and not future.exception()]
        if made and self._follower.is_live:
            for job in self._client.jobs.batch_status(made).jobs:
                self._follower.summary(job)

    def _failed(self, source: str, error: MillClientError | OSError, *, alone: bool) -> None:
        if alone:
            raise error
        self._failures.append(error)
        self._follower.failed(source, sentence(error))

    def _interrupt(self, sources: Sequence[str], futures: Sequence[Future[Job]]) -> None:
        self._stop.set()
        for future in futures:
            future.cancel()
        stuck = wait(futures, timeout=STOP_S).not_done
        for source, future in zip(sources, futures, strict=True):
            if not future.done() or future.cancelled():
                continue
            if isinstance(future.exception(), Stopped):
                say(f"{source}: give the same command again to go on with it")
            elif future.exception() is None:
                job_id = future.result().job_id
                say(f"job {job_id} goes on; follow it with: mill get {job_id} --wait")
        if stuck:
            # A thread that waits for a silent server can't be stopped, and would hold the exit up.
            sys.stderr.flush()
            os._exit(Exit.INTERRUPTED)
