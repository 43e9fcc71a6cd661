"""What a task's handler is given."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from mill_common.queue.types import JobFacts, NewOutput, TaskResult
from mill_common.settings import Settings


class TaskContext(Protocol):
    """One task being run. Handlers touch the queue and storage through this alone."""

    job: JobFacts
    name: str
    params: Mapping[str, Any]
    settings: Settings
    stop: threading.Event  # set when the task must be put down; then call `raise_if_stopped`

    @property
    def scratch(self) -> Path:
        """An empty folder of this attempt's own, removed afterwards."""

    def raise_if_stopped(self) -> None:
        """Raise the reason why the task must be put down, if there is one.

        Raises:
            Stopped: `LeaseLost`, `TaskCancelled` or `ShuttingDown`.
            DeadlineExceeded: The task's deadline has passed.
        """

    def progress(self, fraction: float, stage: str | None = None) -> None:
        """Report progress in [0, 1] and the stage. Cheap: written at most about once a second. Never goes back."""

    def used(self, *, cpu_s: float = 0.0, peak_memory: int = 0, log_tail: str = "") -> None:
        """Record what a child process used (seconds, bytes) and the end of what it said, for the attempt's history."""

    def source(self) -> Path:
        """The job's source as a local file."""

    def stored(self, key: str, name: str) -> Path:
        """Any object in storage as a local file, called `name` in the scratch folder. Never write to it."""

    def fetch(self, output_name: str) -> Path:
        """An output of an earlier task of this job as a local file (or folder, for a tree). Never write to it."""

    def output(self, output_name: str) -> NewOutput | None:
        """An output of an earlier task of this job, or None."""

    def outputs(self) -> Mapping[str, NewOutput]:
        """Every output that completed tasks of this job made, by name."""

    def result_of(self, task_name: str) -> Mapping[str, Any]:
        """The `result` of a completed task of this job."""

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
        """Store a file as this task's output. It is visible to nobody until the task completes."""

    def put_tree(self, folder: Path, name: str, *, kind: str, facts: Mapping[str, Any] | None = None) -> NewOutput:
        """Store every file below `folder` as one output whose name ends in "/"."""


class Handler(Protocol):
    """A function that does one kind of task."""

    def __call__(self, task: TaskContext, /) -> TaskResult: ...
