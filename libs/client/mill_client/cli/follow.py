"""Jobs followed live: a table of bars on a terminal, NDJSON for programs, silence otherwise."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.text import Text

from .._body import OnBytes
from ..errors import JobFailed, Stopped, WaitTimeout
from ..models import Job, JobEvent, JobStatus, JobSummary
from ..models import Progress as Known
from .output import complain, duration, json_line, messages, out_line, plain, say
from .show import show_job

if TYPE_CHECKING:
    from .._sync.client import Client


REPORT_S = 1.0  # upload progress as NDJSON, at most so often


class Follower:
    """Shows uploads and jobs as they go. A context manager: the bars live inside. Safe to share between threads."""

    def __init__(self, *, as_json: bool) -> None:
        self._json = as_json
        out = messages()
        self.is_live = out.is_terminal and not as_json
        self._bars = Progress(
            TextColumn("{task.fields[name]}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.description}"),
            console=out,
            disable=not self.is_live,
        )
        self._tasks: dict[str, TaskID] = {}
        self._names: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self._bars.stop()

    def uploading(self, name: str, stop: Event | None = None) -> OnBytes:
        """Where to report an upload's bytes to. It is given up there, too, once `stop` is set."""
        self._bar(name)
        told = [0.0]

        def on_bytes(sent: int, total: int) -> None:
            if stop is not None and stop.is_set():
                raise Stopped("the upload was interrupted")
            self._show(name, 100 * sent / total, "uploading")
            now = time.monotonic()
            if self._json and (sent == total or now - told[0] >= REPORT_S):
                told[0] = now
                json_line({"event": "upload", "filename": name, "bytes_sent": sent, "bytes_total": total})

        return on_bytes

    def submitted(self, name: str, job: Job) -> None:
        """A job was made of what `name` stands for."""
        existed = ", which was there already" if job.already_existed else ""
        self.known(name, job)
        if not self._json:
            say(f"{name}: job {job.job_id}{existed}")

    def known(self, name: str, job: Job) -> None:
        """A job that was there already is called `name`."""
        self._names[job.job_id] = name
        self._show(name, job.progress.overall_progress, job.status.value)

    def failed(self, name: str, why: str) -> None:
        """No job could be made of what `name` stands for."""
        self._show(name, 0.0, "failed")
        json_line({"event": "error", "filename": name, "message": why}) if self._json else complain(f"{name}: {why}")

    def summary(self, job: JobSummary) -> None:
        """A job's state, as a list tells it."""
        done = job.progress.overall_progress if isinstance(job.progress, Known) else job.progress
        self._show(self._names.get(job.job_id, job.job_id), done or 0.0, job.status.value)

    def follow(self, client: Client, name: str, job_id: str, timeout_s: float | None) -> Job:
        """The job as it ended, shown while it goes on. Raises what `Jobs.wait` raises, but never `JobFailed`."""
        self._names[job_id] = name
        self._bar(name)
        for event in client.events.follow([job_id], timeout_s=timeout_s):
            self.heard(event)
        return client.jobs.get(job_id)

    def heard(self, event: JobEvent) -> None:
        """News of a job."""
        if event.event == "stage":
            return  # the progress that comes along says it, too
        if self._json and not event.ended:
            json_line(_progress(event))
        left = f"about {duration(event.eta_seconds)} left" if event.eta_seconds is not None else ""
        doing = event.current_stage or event.current_task or event.status
        words = [event.status] if event.ended else [doing, left]
        percent = 100.0 if event.status == JobStatus.COMPLETED else event.overall_progress
        self._show(self._names.get(event.job_id, event.job_id), percent, " · ".join(word for word in words if word))

    def _bar(self, name: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task("", total=100, name=Text(plain(name)).markup)

    def _show(self, name: str, percent: float | None, words: str) -> None:
        self._bar(name)
        self._bars.update(self._tasks[name], completed=percent, description=Text(plain(words)).markup)


def _progress(event: JobEvent) -> dict[str, object]:
    return {
        "event": "progress",
        "job_id": event.job_id,
        "status": event.status,
        "current_task": event.current_task,
        "current_stage": event.current_stage,
        "current_task_progress": event.progress,
        "overall_progress": event.overall_progress or 0.0,
        "eta_seconds": event.eta_seconds,
    }


def follow_all(
    client: Client, follower: Follower, jobs: Sequence[tuple[str, Job]], timeout_s: float | None
) -> list[Job]:
    """Every job as it ended, followed all at once."""
    ids = [job.job_id for _, job in jobs]
    going = dict.fromkeys(ids)
    try:
        for event in client.events.follow(ids, timeout_s=timeout_s) if ids else ():
            follower.heard(event)
            if event.event == "complete":
                going.pop(event.job_id, None)
        return [client.jobs.get(job_id) for job_id in ids]
    except (KeyboardInterrupt, WaitTimeout):
        for job_id in going:
            say(f"job {job_id} goes on; follow it with: mill get {job_id} --wait")
        raise


def report(client: Client, jobs: Sequence[Job], *, as_json: bool, waited: bool = True) -> None:
    """Print jobs as they ended, or the ids of those that nobody waited for.

    Raises:
        JobFailed: One of them did not complete.
    """
    for job in jobs:
        if as_json:
            json_line(job)
        elif waited:
            show_job(job, client.url)
        else:
            out_line(job.job_id)
    for job in jobs if waited else ():
        if job.status is not JobStatus.COMPLETED:
            raise JobFailed(job)
