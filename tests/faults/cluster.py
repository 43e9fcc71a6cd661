"""The four services on servers of their own, with short leases, and a word for everything that a fault test does."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID

from common.desk import Desk
from faults.grounds import Grounds
from faults.processes import Process
from faults.turnstile import Turnstile
from server_process import free_port
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from mill_common.broker import Dispatcher, SharedBroker
from mill_common.database import Database
from mill_common.models import Attempt, Job, Outcome, Task
from mill_common.queue import Policy
from mill_common.settings import Settings
from mill_common.spec import JobSpec
from mill_common.states import JOB_ENDED, JobStatus, TaskStatus
from mill_common.storage import ObjectStore, open_store

LEASE_S, SWEEP_S = 8.0, 0.2  # a worker must keep its lease on a machine that is busy with other things, too
PATIENCE_S = 600.0
KEY = "an-admin-key-for-tests"
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})
SPEC = JobSpec(renditions=(180,), transcript=None)
SETTINGS = {
    "MILL_LEASE_S": str(LEASE_S),
    "MILL_HEARTBEAT_S": "0.5",
    "MILL_SWEEP_S": str(SWEEP_S),
    "MILL_RESEND_AFTER_S": "1",
    "MILL_POLL_S": "0.5",
    "MILL_RETRY_BASE_S": "0.1",
    "MILL_RETRY_CAP_S": "1",
    "MILL_ADMIN_KEY": KEY,
    "MILL_SIGNING_KEY": "a-signing-key-for-tests-0123456789",
}


class Cluster:
    """Services on one database, one Redis and one bucket."""

    def __init__(self, folder: Path, grounds: Grounds, urls: Sequence[str], clip: Path) -> None:
        self.folder = folder
        self.grounds = grounds
        self.database_url, self.broker_url, self.storage_url = urls
        self.turnstile = Turnstile(folder / "programs")
        self.settings = {
            **SETTINGS,
            "MILL_DATABASE_URL": self.database_url,
            "MILL_BROKER_URL": self.broker_url,
            "MILL_STORAGE_URL": self.storage_url,
            "MILL_FFMPEG": str(self.turnstile.ffmpeg),
            "MILL_FFPROBE": str(self.turnstile.ffprobe),
        }
        self.database = Database(self.database_url)
        self.desk = Desk(self.database, Policy(lease_s=LEASE_S, resend_after_s=1.0))
        self.broker = SharedBroker(url=self.broker_url, middleware=[])
        self.dispatcher = Dispatcher(self.broker)
        self.processes: list[Process] = []
        self._kept: dict[int, Callable[[], Process]] = {}
        self._numbers = count(1)
        self._closing = threading.Event()
        self._clip = clip
        self._sources: dict[Path, str] = {}
        self._supervising = threading.Thread(target=self._supervise, daemon=True)
        self._supervising.start()

    # Processes

    def start(
        self,
        service: str,
        *arguments: str,
        prefix: Sequence[str] = (),
        keep: bool = False,
        settings: Mapping[str, str] = NO_SETTINGS,
        **more: str,
    ) -> Process:
        """Start a service; settings are named as the variables are. With `keep`, start it again whenever it ends."""
        number = next(self._numbers)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
        data = {"MILL_DATA_DIR": str(self.folder / f"{service}-{number}")}
        environment = {**inherited, **self.settings, **data, **settings, **more}
        process = Process(service, environment, self.folder / f"{service}-{number}.log", prefix, arguments)
        self.processes.append(process)
        if keep:
            self._kept[process.pid] = partial(
                self.start, service, *arguments, prefix=prefix, keep=True, settings={**settings, **more}
            )
        return process

    def api(self, *, keep: bool = False, settings: Mapping[str, str] = NO_SETTINGS, **more: str) -> tuple[Process, str]:
        """Start a gateway; its process and its URL."""
        port = free_port()
        process = self.start("api", "--port", str(port), keep=keep, settings={**settings, **more})
        return process, f"http://127.0.0.1:{port}"

    def _supervise(self) -> None:
        while not self._closing.wait(0.1):
            for process in list(self.processes):
                if not process.alive and (again := self._kept.pop(process.pid, None)):
                    again()

    def working(self, pid: int) -> Process:
        """The process with this number."""
        return next(process for process in self.processes if process.pid == pid)

    # Jobs

    @property
    def store(self) -> ObjectStore:
        """The objects, seen past all wires."""
        return open_store(Settings(data_dir=self.folder / "looking", storage_url=self.storage_url))

    def store_at(self, url: str) -> None:
        """Keep objects elsewhere. Before anything is started or handed in."""
        self.storage_url = self.settings["MILL_STORAGE_URL"] = url

    def job(
        self, owner: str = "ada", *, wake: bool = True, spec: JobSpec = SPEC, of: Path | None = None, **fields: Any
    ) -> UUID:
        """A job of the clip, or of another source."""
        source: dict[str, Any] = self._uploaded(of or self._clip)
        job = self.desk.job(owner, spec=spec.model_dump(mode="json"), **(source | fields))
        if wake:
            self.dispatcher.wake("transcode")
        return job

    def _uploaded(self, path: Path) -> dict[str, Any]:
        if path not in self._sources:
            self.store.put_file(f"uploads/{path.name}", path, content_type="application/octet-stream")
            self._sources[path] = f"uploads/{path.name}"
        return {"source_key": self._sources[path], "source_size": path.stat().st_size}

    def status(self, job: UUID) -> JobStatus:
        """A job's status."""
        return self.desk.status(job)

    def running(self, kind: str, job: UUID | None = None) -> Task | None:
        """A task of this kind that runs."""
        with self.database.read() as session:
            wanted = select(Task).where(col(Task.kind) == kind, col(Task.status) == TaskStatus.RUNNING)
            if job is not None:
                wanted = wanted.where(col(Task.job_id) == job)
            return session.scalars(wanted.limit(1)).first()

    def all_running(self) -> list[Task]:
        """Every task that runs."""
        with self.database.read() as session:
            return list(session.scalars(select(Task).where(col(Task.status) == TaskStatus.RUNNING)).all())

    def worker_of(self, task: Task) -> Process:
        """The process that holds a task."""
        assert task.worker is not None
        return self.working(int(task.worker.rpartition(":")[2]))

    def outcomes(self, task_id: UUID) -> list[Outcome | None]:
        """How a task's attempts ended, the first one first."""
        return [attempt.outcome for attempt in self.desk.attempts(task_id)]

    def attempts(self, **having: Any) -> list[Attempt]:
        """Every attempt with these values."""
        with self.database.read() as session:
            wanted = select(Attempt).where(*(getattr(Attempt, name) == value for name, value in having.items()))
            return list(session.scalars(wanted).all())

    # Waiting

    def held(self, kind: str, mode: str = "hold") -> tuple[Task, int]:
        """Wait until a command of a step of this kind has met the turnstile, by a rule set for it before a job came.

        Returns the task that runs it and the command's process id.
        """
        self.until(lambda: self.turnstile.met() and self.running(kind))
        task = self.running(kind)
        assert task is not None
        return task, self.turnstile.met()[-1][0]

    def until_quiet(self) -> None:
        """Wait until a worker of the cluster has nothing to do and waits for a wake-up."""
        self.dispatcher.wake("transcode")  # which only such a one takes
        self.until(lambda: self.broker.waiting("transcode") == 0)
        time.sleep(0.3)  # it looks at the rows once more

    def until(self, holds: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
        """Wait until a condition holds, also through a database that is away; give what it gave."""
        give_up = time.monotonic() + patience_s
        while time.monotonic() < give_up:
            with suppress(SQLAlchemyError):
                if found := holds():
                    return found
            time.sleep(0.02)
        raise AssertionError("what was waited for never came\n" + self.logs())

    def until_ended(self, *jobs: UUID, patience_s: float = PATIENCE_S) -> None:
        """Wait until these jobs, or all, have ended and nothing of them runs."""
        self.until(lambda: self._ended(jobs), patience_s)

    def until_completed(self, *jobs: UUID) -> None:
        """Wait until these jobs have ended, and well."""
        self.until_ended(*jobs)
        assert {self.status(job) for job in jobs} == {JobStatus.COMPLETED}, self.logs()

    def _ended(self, jobs: Sequence[UUID]) -> bool:
        with self.database.read() as session:
            unfinished = select(col(Job.id)).where(col(Job.status).not_in(JOB_ENDED))
            running = select(col(Task.id)).where(col(Task.status) == TaskStatus.RUNNING)
            if jobs:
                unfinished, running = unfinished.where(col(Job.id).in_(jobs)), running.where(col(Task.job_id).in_(jobs))
            return session.scalar(unfinished.limit(1)) is None and session.scalar(running.limit(1)) is None

    # The end

    def logs(self, length: int = 1500) -> str:
        """The end of what every process has said."""
        return "\n".join(f"--- {p.log.name}\n{p.log.read_text(errors='replace')[-length:]}" for p in self.processes)

    def stop(self) -> None:
        """SIGTERM to every process that still runs; they must end well."""
        self._closing.set()
        self._supervising.join()
        begun = {process.log.name: process.has_begun for process in self.processes if process.alive}
        codes = {process.log.name: process.stop() for process in self.processes if process.log.name in begun}
        assert all(code == 0 or not begun[name] for name, code in codes.items()), f"{codes}\n{self.logs()}"

    def close(self) -> None:
        """End everything, whatever its state."""
        self._closing.set()
        self._supervising.join()
        self.turnstile.end()
        for process in self.processes:
            process.kill()
        self.broker.close()
        self.database.close()
