"""A transcription without a queue or a store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from folder_job import FolderJob, FolderTask

from mill_common.queue.types import JobFacts
from mill_common.settings import Settings
from mill_common.spec import JobSpec, TranscriptSpec


class SpeechTask(FolderTask):
    """The task `transcribe` of a job whose sound lies in `folder`."""

    def __init__(
        self, folder: Path, settings: Settings, *, language: str | None = None, spec: JobSpec | None = None
    ) -> None:
        facts = JobFacts(
            id=uuid4(),
            owner_id="owner",
            spec=spec or JobSpec(transcript=TranscriptSpec(language=language)),
            filename="video.mp4",
            source_key=None,
            source_url=None,
            source_size=None,
            media=None,
        )
        (folder / "scratch").mkdir(parents=True)
        super().__init__(FolderJob(folder, folder, facts, settings), "transcribe", {}, folder / "scratch")
        self.folder = folder
        self.on_progress: Callable[[float], None] = lambda fraction: None

    def progress(self, fraction: float, stage: str | None = None) -> None:
        super().progress(fraction, stage)
        self.on_progress(fraction)

    def fetch(self, output_name: str) -> Path:
        return self.folder / output_name

    def text(self, name: str) -> str:
        """A document's text."""
        return (self.folder / "outputs" / name).read_text(encoding="utf-8")
