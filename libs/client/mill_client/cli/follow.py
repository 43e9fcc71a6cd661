"""A job followed live: a bar on a terminal, NDJSON for programs, silence otherwise."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.text import Text

from .._body import OnBytes
from ..errors import JobFailed
from ..models import Job, JobStatus
from .output import duration, json_line, messages, plain, say
from .show import show_job

if TYPE_CHECKING:
    from .._sync.client import Client


REPORT_S = 1.0  # upload progress as NDJSON, at most so often


class Follower:
    """Shows uploads and jobs as they go. A context manager: the bars live inside."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        out = messages()
        self._live = out.is_terminal and not as_json
        self._bars = Progress(
            TextColumn("{task.fields[name]}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.description}"),
            console=out,
            disable=not self._live,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._bars.stop()

    def uploading(self, name: str) -> OnBytes:
        """Where to report an upload's bytes to."""
        self._bar(name)
        told = [0.0]

        def on_bytes(sent: int, total: int) -> None:
            self._show(name, 100 * sent / total, "uploading")
            now = time.monotonic()
            if self._json and (sent == total or now - told[0] >= REPORT_S):
                told[0] = now
                json_line({"event": "upload", "filename": name, "bytes_sent": sent, "bytes_total": total})

        return on_bytes

    def submitted(self, name: str, job: Job) -> None:
        """A job was made of what `name` stands for."""
        existed = ", which was there already" if job.already_existed else ""
        self._show(name, 0.0, "queued")
        if not self._json:
            say(f"{name}: job {job.job_id}{existed}")

    def follow(self, client: Client, name: str, job_id: str, timeout_s: float | None) -> Job:
        """The job as it ended, shown while it goes on. Raises what `Jobs.wait` raises, but never `JobFailed`."""
        self._bar(name)
        job: Job | None = None
        for job in client.jobs.follow(job_id, timeout_s=timeout_s):
            self._moved(name, job)
        assert job is not None
        return job

    def _moved(self, name: str, job: Job) -> None:
        progress = job.progress
        if self._json and not job.status.ended:
            json_line(
                {"event": "progress", "job_id": job.job_id, "status": job.status} | progress.model_dump(mode="json")
            )
        left = f"about {duration(progress.eta_seconds)} left" if progress.eta_seconds is not None else ""
        doing = progress.current_stage or progress.current_task or ""
        words = [job.status.value] if job.status.ended else [doing or job.status.value, left]
        self._show(name, progress.overall_progress, " · ".join(word for word in words if word))

    def _bar(self, name: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task("", total=100, name=Text(plain(name)).markup)

    def _show(self, name: str, percent: float, words: str) -> None:
        self._bar(name)
        self._bars.update(self._tasks[name], completed=percent, description=Text(plain(words)).markup)


def follow_all(
    client: Client, follower: Follower, jobs: Sequence[tuple[str, Job]], timeout_s: float | None
) -> list[Job]:
    """Every job as it ended, followed one after the other."""
    try:
        return [follower.follow(client, name, job.job_id, timeout_s) for name, job in jobs]
    except KeyboardInterrupt:
        for _, job in jobs:
            say(f"job {job.job_id} goes on; follow it with: mill get {job.job_id} --wait")
        raise


def report(client: Client, jobs: Sequence[Job], *, as_json: bool) -> None:
    """Print jobs as they ended.

    Raises:
        JobFailed: One of them did not complete.
    """
    for job in jobs:
        json_line(job) if as_json else show_job(job, client.url)
    for job in jobs:
        if job.status is not JobStatus.COMPLETED:
            raise JobFailed(job)
