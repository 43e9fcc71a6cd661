"""Many videos handed in at once."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, TypeVar

import typer

from .._urls import is_url
from ..errors import MillClientError, Stopped
from ..models import Job, JobSource, JobSpec
from .exits import Exit, exit_code_of
from .follow import Follower
from .output import say, sentence
from .resume import Resumes

if TYPE_CHECKING:
    from .._sync.client import Client

T = TypeVar("T")
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

    def place(self, client: Client, source: JobSource | Sequence[JobSource]) -> Job:
        """A job of one source, or of several merged."""
        alone = source if isinstance(source, JobSource) else JobSource()
        return client.jobs.create(
            url=alone.url,
            upload_id=alone.upload_id,
            sources=None if isinstance(source, JobSource) else source,
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
        futures = self._do(self._send, sources, parallel=parallel)
        return self._done(sources, futures, alone=len(sources) == 1)

    def merge(self, sources: Sequence[str], *, parallel: int) -> list[tuple[str, Job]]:
        """The one job of all sources, each of which is uploaded once; none if one of them cannot be."""
        distinct = list(dict.fromkeys(sources))
        places = dict(self._done(distinct, self._do(self._hand_in, distinct, parallel=parallel), alone=False))
        if self._failures:
            return []
        job = self._order.place(self._client, [places[source] for source in sources])
        for source in distinct:
            self._forget(source)
        name = f"{sources[0]} and {len(sources) - 1} more"
        self._follower.submitted(name, job)
        return [(name, job)]

    def end(self) -> None:
        """Exit as the first source that failed calls for; each was complained of when it did."""
        if self._failures:
            raise typer.Exit(exit_code_of(self._failures[0]))

    def _do(self, work: Callable[[str], T], sources: Sequence[str], *, parallel: int) -> list[Future[T]]:
        pool = ThreadPoolExecutor(max_workers=parallel, thread_name_prefix="upload")
        futures = [pool.submit(work, source) for source in sources]
        try:
            while wait(futures, timeout=LOOK_S).not_done:
                self._show(futures)
        except KeyboardInterrupt:
            self._interrupt(sources, futures)
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        return futures

    def _done(self, sources: Sequence[str], futures: Sequence[Future[T]], *, alone: bool) -> list[tuple[str, T]]:
        done = []
        for source, future in zip(sources, futures, strict=True):
            try:
                done.append((source, future.result()))
            except (MillClientError, OSError) as error:
                self._failed(source, error, alone=alone)
        return done

    def _send(self, source: str) -> Job:
        job = self._order.place(self._client, self._hand_in(source))
        self._forget(source)
        self._follower.submitted(source, job)
        return job

    def _hand_in(self, source: str) -> JobSource:
        if is_url(source):
            return JobSource(url=source)
        upload = self._resumes.send(Path(source), self._follower.uploading(source, self._stop))
        return JobSource(upload_id=upload.id)

    def _forget(self, source: str) -> None:
        if not is_url(source):
            self._resumes.forget(Path(source))

    def _show(self, futures: Sequence[Future[T]]) -> None:
        done = [future.result() for future in futures if future.done() and not future.exception()]
        made = [each.job_id for each in done if isinstance(each, Job)]
        if made and self._follower.is_live:
            for job in self._client.jobs.batch_status(made).jobs:
                self._follower.summary(job)

    def _failed(self, source: str, error: MillClientError | OSError, *, alone: bool) -> None:
        if alone:
            raise error
        self._failures.append(error)
        self._follower.failed(source, sentence(error))

    def _interrupt(self, sources: Sequence[str], futures: Sequence[Future[T]]) -> None:
        self._stop.set()
        for future in futures:
            future.cancel()
        stuck = wait(futures, timeout=STOP_S).not_done
        for source, future in zip(sources, futures, strict=True):
            if not future.done() or future.cancelled():
                continue
            if isinstance(future.exception(), Stopped):
                say(f"{source}: give the same command again to go on with it")
            elif future.exception() is None and isinstance(made := future.result(), Job):
                say(f"job {made.job_id} goes on; follow it with: mill get {made.job_id} --wait")
        if stuck:
            # A thread that waits for a silent server can't be stopped, and would hold the exit up.
            sys.stderr.flush()
            os._exit(Exit.INTERRUPTED)
