"""A task whose outputs are files in a folder."""

import hashlib
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from mill_common.errors import Stopped
from mill_common.queue.types import JobFacts, NewOutput
from mill_common.settings import Settings
from mill_common.spec import JobSpec, TranscriptSpec


class FolderTask:
    """A `TaskContext` for one handler, without a queue or a store."""

    def __init__(self, folder: Path, settings: Settings, *, language: str | None = None) -> None:
        self.folder = folder
        self.settings = settings
        self.scratch = folder / "scratch"
        self.scratch.mkdir(parents=True)
        self.name = "transcribe"
        self.params: Mapping[str, Any] = {}
        self.stop = threading.Event()
        self.reason: Stopped | None = None
        self.reported: list[float] = []
        self.on_progress: Callable[[float], None] = lambda fraction: None
        self.cpu_s = 0.0
        self.peak_memory = 0
        self.log_tail = ""
        self.stored: dict[str, NewOutput] = {}
        self.job = JobFacts(
            id=uuid4(),
            owner_id="owner",
            spec=JobSpec(transcript=TranscriptSpec(language=language)),
            filename="video.mp4",
            source_key=None,
            source_url=None,
            source_size=None,
            media=None,
        )

    def put_down(self, reason: Stopped) -> None:
        """Have the handler stop for this reason."""
        self.reason = reason
        self.stop.set()

    def raise_if_stopped(self) -> None:
        if self.reason:
            raise self.reason

    def progress(self, fraction: float, stage: str | None = None) -> None:
        self.reported.append(fraction)
        self.on_progress(fraction)

    def used(self, *, cpu_s: float = 0.0, peak_memory: int = 0, log_tail: str = "") -> None:
        self.cpu_s += cpu_s
        self.peak_memory = max(self.peak_memory, peak_memory)
        self.log_tail = log_tail

    def source(self) -> Path:
        raise NotImplementedError

    def fetch(self, output_name: str) -> Path:
        return self.folder / output_name

    def output(self, output_name: str) -> NewOutput | None:
        return self.stored.get(output_name)

    def outputs(self) -> Mapping[str, NewOutput]:
        return self.stored

    def result_of(self, task_name: str) -> Mapping[str, Any]:
        raise NotImplementedError

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
        content = path.read_bytes()
        (self.folder / name).write_bytes(content)
        self.stored[name] = NewOutput(
            name=name,
            kind=kind,
            object_key=name,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            content_type=content_type,
            intermediate=intermediate,
            facts=facts or {},
        )
        return self.stored[name]

    def put_tree(self, folder: Path, name: str, *, kind: str, facts: Mapping[str, Any] | None = None) -> NewOutput:
        raise NotImplementedError

    def text(self, name: str) -> str:
        """An output's text."""
        return (self.folder / name).read_text(encoding="utf-8")
