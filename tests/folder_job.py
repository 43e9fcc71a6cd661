"""Runs a job's tasks in this process, in the order of their needs, with outputs in a folder."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from mill_common.queue.enqueue import PROBE
from mill_common.queue.types import JobFacts, NewOutput, NewTask, TaskResult
from mill_common.settings import Settings
from mill_common.spec import JobSpec
from mill_common.worker.context import Handler


@dataclass
class FolderJob:
    """A job whose outputs lie in `folder`, visible to later tasks once their own task has completed."""

    folder: Path
    file: Path
    facts: JobFacts
    settings: Settings
    results: dict[str, TaskResult] = field(default_factory=dict)
    outputs: dict[str, NewOutput] = field(default_factory=dict)
    tasks: dict[str, NewTask] = field(default_factory=dict)
    runs: dict[str, FolderTask] = field(default_factory=dict)
    keep_scratch: bool = False

    @classmethod
    def of(cls, folder: Path, file: Path, *, spec: JobSpec | None = None, **settings: Any) -> FolderJob:
        facts = JobFacts(
            id=UUID(int=uuid4().int),
            owner_id="owner",
            spec=spec or JobSpec(transcript=None),
            filename=file.name,
            source_key="source",
            source_url=None,
            source_size=file.stat().st_size,
            media=None,
        )
        return cls(
            folder, file, facts, Settings(**{"data_dir": folder / "data", "encode_preset": "ultrafast", **settings})
        )

    def run(self, handlers: Mapping[str, Handler], *, first: Sequence[NewTask] = (PROBE,)) -> None:
        """Run `first`, then whatever they planned, until nothing is left that can run."""
        self.tasks = {task.name: task for task in first}
        while ready := [t for t in self.tasks.values() if self._ready(t, handlers)]:
            self.run_task(ready[0], handlers[ready[0].kind])

    def _ready(self, task: NewTask, handlers: Mapping[str, Handler]) -> bool:
        return task.name not in self.results and task.kind in handlers and set(task.needs) <= self.results.keys()

    def run_task(self, planned: NewTask, handler: Handler) -> TaskResult:
        task = self.task(planned.name, planned.params)
        result = handler(task)
        if not self.keep_scratch:
            shutil.rmtree(task.scratch)
        self.outputs.update(task.made)
        self.results[planned.name] = result
        self.tasks.update({new.name: new for new in result.tasks})
        if result.source is not None and result.source.object_key in task.made:
            self.file = self.path(result.source.object_key)
            self.facts = replace(self.facts, source_key=result.source.object_key, source_sha256=result.source.sha256)
        if result.media is not None:
            self.facts = replace(self.facts, media=result.media)
        return result

    def task(self, name: str, params: Mapping[str, Any] | None = None) -> FolderTask:
        scratch = self.folder / "scratch" / f"{name}-{uuid4().hex[:6]}"
        scratch.mkdir(parents=True)
        self.runs[name] = FolderTask(self, name, params or {}, scratch)
        return self.runs[name]

    def path(self, output_name: str) -> Path:
        return self.folder / "outputs" / self.outputs[output_name].object_key


class FolderTask:
    """A `TaskContext` on local files."""

    def __init__(self, job: FolderJob, name: str, params: Mapping[str, Any], scratch: Path) -> None:
        self._job = job
        self.job = job.facts
        self.name = name
        self.params = params
        self.settings = job.settings
        self.scratch = scratch
        self.stop = threading.Event()
        self.reason: Exception | None = None
        self.made: dict[str, NewOutput] = {}
        self.fractions: list[float] = []
        self.stages: list[str] = []
        self.cpu_s = 0.0
        self.peak_memory = 0
        self.log_tail = ""

    def raise_if_stopped(self) -> None:
        if self.stop.is_set() and self.reason is not None:
            raise self.reason

    def put_down(self, reason: Exception) -> None:
        """Tell the task to stop, as a worker does."""
        self.reason = reason
        self.stop.set()

    def progress(self, fraction: float, stage: str | None = None) -> None:
        assert 0.0 <= fraction <= 1.0
        self.fractions.append(fraction)
        if stage:
            self.stages.append(stage)

    def used(self, *, cpu_s: float = 0.0, peak_memory: int = 0, log_tail: str = "") -> None:
        self.cpu_s += cpu_s
        self.peak_memory = max(self.peak_memory, peak_memory)
        self.log_tail = log_tail

    def source(self) -> Path:
        return self._job.file

    def stored(self, key: str, name: str) -> Path:
        return Path(key)

    def fetch(self, output_name: str) -> Path:
        return self._job.path(output_name)

    def output(self, output_name: str) -> NewOutput | None:
        return self._job.outputs.get(output_name)

    def outputs(self) -> Mapping[str, NewOutput]:
        return dict(self._job.outputs)

    def result_of(self, task_name: str) -> Mapping[str, Any]:
        return self._job.results[task_name].result

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
        target = self._job.folder / "outputs" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        self.made[name] = NewOutput(
            name=name,
            kind=kind,
            object_key=name,
            size=target.stat().st_size,
            sha256=hashlib.sha256(target.read_bytes()).hexdigest(),
            content_type=content_type,
            intermediate=intermediate,
            facts=facts or {},
        )
        return self.made[name]

    def put_tree(self, folder: Path, name: str, *, kind: str, facts: Mapping[str, Any] | None = None) -> NewOutput:
        assert name.endswith("/")
        target = self._job.folder / "outputs" / name
        shutil.copytree(folder, target)
        files = {str(p.relative_to(target)): p.stat().st_size for p in sorted(target.rglob("*")) if p.is_file()}
        self.made[name] = NewOutput(
            name=name,
            kind=kind,
            object_key=name,
            size=sum(files.values()),
            sha256="",
            content_type="application/octet-stream",
            facts=facts or {},
            files=files,
        )
        return self.made[name]
