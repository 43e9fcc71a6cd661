"""One claimed task while it runs: what its handler sees, and what keeps its lease alive."""

from __future__ import annotations

import hashlib
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mill_common.errors import DeadlineExceeded, LeaseLost, MillError, SourceMissing, TaskCancelled
from mill_common.queue import Claim, NewOutput, Spent, TaskQueue
from mill_common.queue.history import job_outputs, task_result
from mill_common.settings import Settings
from mill_common.storage import ObjectStore
from mill_common.storage.keys import type_by_suffix

STOPPING_S = 60.0  # children that do not heed SIGTERM are killed long before, and their task is theirs until then
_BLOCK = 1 << 20


class RunningTask:
    """The `TaskContext` that handlers are given."""

    def __init__(self, claim: Claim, queue: TaskQueue, store: ObjectStore, settings: Settings, scratch: Path) -> None:
        self.claim = claim
        self.job = claim.job
        self.name = claim.name
        self.params = claim.params
        self.settings = settings
        self._scratch = scratch
        self._scratch_made = False
        self.stop = threading.Event()
        self.made: list[NewOutput] = []
        self.spent = Spent()
        self._queue = queue
        self._store = store
        self._reason: MillError | None = None
        self._put_down_at = 0.0
        self._progress = 0.0
        self._stage = "started"
        self._reported = ("", 0.0)
        self._began = now = time.monotonic()
        self._lease_ends = now + queue.policy.lease_s
        self._beat_due = now + settings.heartbeat_s
        self._deadline = now + settings.task_deadline_s

    # What the handler calls

    @property
    def scratch(self) -> Path:
        """An empty folder of this attempt's own, made when it is first asked for."""
        if not self._scratch_made:
            self._scratch.mkdir(parents=True, exist_ok=True)
            self._scratch_made = True
        return self._scratch

    def raise_if_stopped(self) -> None:
        """Raise the reason why the task must be put down, if there is one."""
        if self._reason is not None:
            raise self._reason

    def progress(self, fraction: float, stage: str | None = None) -> None:
        """Note how far the task is; the heartbeat writes it."""
        self._progress = max(self._progress, min(max(fraction, 0.0), 1.0))
        self._stage = stage or self._stage

    def used(self, *, cpu_s: float = 0.0, peak_memory: int = 0, log_tail: str = "") -> None:
        """Add up what children used."""
        before = self.spent
        self._spend(
            cpu_s=before.cpu_s + cpu_s,
            peak_memory=max(before.peak_memory, peak_memory),
            log_tail=log_tail or before.log_tail,
        )

    def source(self) -> Path:
        """The job's source as a local file."""
        if self.job.source_key is None:
            raise SourceMissing
        return self._fetch(self.job.source_key, self.scratch / "source")

    def stored(self, key: str, name: str) -> Path:
        """Any object in storage as a local file."""
        return self._fetch(key, self.scratch / name)

    def output(self, output_name: str) -> NewOutput | None:
        """An output of an earlier task of this job, or None."""
        return self.outputs().get(output_name)

    def outputs(self) -> Mapping[str, NewOutput]:
        """Every output that completed tasks of this job made, by name."""
        with self._queue.database.read() as session:
            return job_outputs(session, self.job.id)

    def result_of(self, task_name: str) -> Mapping[str, Any]:
        """The `result` of a completed task of this job."""
        with self._queue.database.read() as session:
            return task_result(session, self.job.id, task_name)

    def fetch(self, output_name: str) -> Path:
        """An output of an earlier task as a local file, or folder for a tree."""
        output = self.output(output_name)
        if output is None:
            raise SourceMissing(f"No earlier task of this job made {output_name}.")
        path = self.scratch / "inputs" / output_name
        if not output.files:
            return self._fetch(output.object_key, path)
        for name in output.files:
            fetched = self._fetch(output.object_key + name, path / name)
            if fetched != path / name:
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).symlink_to(fetched)
        return path

    def put(
        self,
        path: Path,
        name: str,
        *,
        kind: str,
        content_type: str,
        intermediate: bool = False,
        facts: Mapping[str, Any] | None = None,
    ) -> NewOutput:
        """Store a file as this task's output."""
        digest = hashlib.sha256()
        size = self._store_file(path, name, content_type, digest)
        return self._made(
            NewOutput(
                name=name,
                kind=kind,
                object_key=self.prefix + name,
                size=size,
                sha256=digest.hexdigest(),
                content_type=content_type,
                intermediate=intermediate,
                facts=facts or {},
            )
        )

    def put_tree(self, folder: Path, name: str, *, kind: str, facts: Mapping[str, Any] | None = None) -> NewOutput:
        """Store every file below `folder` as one output."""
        digest = hashlib.sha256()
        files: dict[str, int] = {}
        for path in sorted(file for file in folder.rglob("*") if file.is_file()):
            relative = path.relative_to(folder).as_posix()
            files[relative] = self._store_file(path, name + relative, type_by_suffix(relative), digest)
        return self._made(
            NewOutput(
                name=name,
                kind=kind,
                object_key=self.prefix + name,
                size=sum(files.values()),
                sha256=digest.hexdigest(),
                content_type="application/vnd.apple.mpegurl",
                facts=facts or {},
                files=files,
            )
        )

    # What the worker calls

    def remove_scratch(self) -> None:
        """Remove what the attempt kept on this machine."""
        if self._scratch_made:
            shutil.rmtree(self._scratch, ignore_errors=True)

    @property
    def prefix(self) -> str:
        """Where this attempt's objects lie. No other epoch writes there."""
        return f"jobs/{self.job.id}/{self.claim.task_id}-{self.claim.epoch}/"

    def put_down(self, reason: MillError) -> None:
        """Have the handler stop for `reason`; the first one counts."""
        if self._reason is None:
            self._put_down_at = time.monotonic()
            self._reason = reason
            self.stop.set()

    @property
    def reason(self) -> MillError | None:
        """Why the task must be put down, if it must."""
        return self._reason

    def beat(self) -> None:
        """Renew the lease when it is due, or when there is progress to tell. Called about once a second."""
        now = time.monotonic()
        if now > self._deadline:
            self.put_down(DeadlineExceeded(f"The step took longer than {self.settings.task_deadline_s:.0f} s."))
        if self._reason is not None and now > self._put_down_at + max(STOPPING_S, self._queue.policy.lease_s):
            return  # a handler that does not stop keeps its task no longer: the lease runs out
        state = (self._stage, self._progress)
        if now < self._beat_due and state == self._reported:
            return
        spent = self.spent if now >= self._beat_due else None  # it changes all the time
        try:
            cancelled = self._queue.heartbeat(self.claim, self._progress, self._stage, spent)
        except LeaseLost as lost:
            self.put_down(lost)
            return
        self._reported = state
        if spent is not None:
            self._beat_due = now + self.settings.heartbeat_s
        self._lease_ends = now + self._queue.policy.lease_s
        if cancelled:
            self.put_down(TaskCancelled())

    def needs_longer_than(self, seconds: float) -> bool:
        """Whether the task will not end in time, going by its progress. One that tells none may end any moment."""
        if self._progress == 0.0:
            return False
        elapsed = time.monotonic() - self._began
        return elapsed * (1.0 - self._progress) / self._progress > seconds

    def lease_may_be_over(self) -> bool:
        """Whether so long has passed since the last heartbeat that another worker may hold the task."""
        return time.monotonic() > self._lease_ends

    def _fetch(self, key: str, path: Path) -> Path:
        self.raise_if_stopped()
        path.parent.mkdir(parents=True, exist_ok=True)
        fetched = self._store.fetch(key, path)
        self._spend(bytes_in=self.spent.bytes_in + fetched.stat().st_size)
        return fetched

    def _store_file(self, path: Path, name: str, content_type: str, digest: Any) -> int:
        self.raise_if_stopped()
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                digest.update(block)
        size = self._store.put_file(self.prefix + name, path, content_type=content_type).size
        self._spend(bytes_out=self.spent.bytes_out + size)
        return size

    def _made(self, output: NewOutput) -> NewOutput:
        self.made.append(output)
        return output

    def _spend(self, **values: Any) -> None:
        self.spent = Spent(**{**vars(self.spent), **values})
