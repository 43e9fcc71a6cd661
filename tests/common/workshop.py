"""A worker as it runs in production, with handlers of a few lines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from common.desk import Desk

from mill_common.database import Database
from mill_common.queue import TRANSCODE, NewTask, TaskResult
from mill_common.resources import Resources, open_resources
from mill_common.settings import Settings
from mill_common.states import JobStatus
from mill_common.worker import Handler, Runner, TaskContext, Woken

NEVER_S = 3600.0  # a poll that a test would not live to see


class Workshop:
    """One process's resources, its workers, and a desk to hand in jobs at."""

    def __init__(self, folder: Path, database_url: str, broker_url: str = "memory://", **settings: Any) -> None:
        values = {"poll_s": 0.05, "lease_s": 30.0, "retry_base_s": 0.01, "retry_cap_s": 0.01} | settings
        self.settings = Settings(data_dir=folder, database_url=database_url, broker_url=broker_url, **values)
        self.resources: Resources = open_resources(self.settings)
        self.desk = Desk(self.resources.database, self.resources.queue.policy)
        self.desk.queue = self.resources.queue

    def runner(
        self, handlers: Mapping[str, Handler], *, queue_name: str = TRANSCODE, slots: int = 2, **options: Any
    ) -> Runner:
        """A runner that has not started."""
        return Runner(
            service="test",
            queue_name=queue_name,
            handlers=handlers,
            queue=self.resources.queue,
            store=self.resources.store,
            settings=self.settings,
            slots=slots,
            **options,
        )

    @contextmanager
    def working(self, handlers: Mapping[str, Handler], **options: Any) -> Iterator[Runner]:
        """A worker at work, stopped at the end."""
        runner = self.runner(handlers, **options)
        worker = Woken(self.resources.broker, runner)
        worker.start()
        try:
            yield runner
        finally:
            worker.stop()

    def objects(self) -> list[str]:
        """The keys of all objects that tasks stored."""
        return [stat.key for stat in self.resources.store.list("jobs/")]

    def scratch(self) -> list[Path]:
        """What is left of attempts' folders."""
        return list(self.settings.scratch.glob("*")) if self.settings.scratch.exists() else []

    def ends(self, job: Any, status: JobStatus) -> None:
        """Wait until a job has this status and none of its tasks runs."""
        until(lambda: self.desk.status(job) is status and "running" not in self.desk.statuses(job).values())

    def database(self) -> Database:
        """The database that the worker uses."""
        return self.resources.database

    def close(self) -> None:
        """Close what is open."""
        self.resources.close()


class Held:
    """A handler that stores something, says that it runs, and goes on until it is let go or stopped."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.let_go = threading.Event()
        self.reasons: list[str] = []

    def __call__(self, task: TaskContext) -> TaskResult:
        """Run until let go."""
        store_text(task, "half.txt")
        self.began.set()
        while not self.let_go.is_set():
            task.stop.wait(0.02)
            try:
                task.raise_if_stopped()
            except Exception as reason:
                self.reasons.append(type(reason).__name__)
                raise
        return TaskResult()


def store_text(task: TaskContext, name: str, **options: Any) -> None:
    """Store a small output."""
    path = task.scratch / name
    path.write_text(name)
    task.put(path, name, kind="text", content_type="text/plain", **options)


def plan(*tasks: NewTask) -> Handler:
    """A probe that plans these tasks."""

    def probe(task: TaskContext) -> TaskResult:
        return TaskResult(tasks=tasks)

    return probe


def until(holds: Callable[[], bool], *, patience_s: float = 60.0) -> None:
    """Wait until a condition holds; fail if it never does."""
    give_up = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < give_up, "what was waited for never came"
        time.sleep(0.02)
