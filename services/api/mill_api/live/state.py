"""A job as its watchers see it at one moment, and the events that say so."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field
from sse_starlette.event import ServerSentEvent

from mill_api.fields import Time
from mill_api.jobs.progress import ProgressView, progress_view
from mill_common.models import Job, Task
from mill_common.states import JOB_ENDED, JobStatus

Shown = JobStatus | Literal["deleted"]


class ProgressEvent(BaseModel):
    """How far a job is; percents."""

    job_id: UUID
    status: Shown
    current_task: str | None
    current_stage: str | None
    progress: float = Field(ge=0, le=100, description="Of the current task.")
    overall_progress: float = Field(ge=0, le=100, description="Of the job; never falls.")
    eta_seconds: float | None
    updated_at: Time


class StageEvent(BaseModel):
    """A job has come to another task, or its task to another stage."""

    job_id: UUID
    status: Shown
    current_task: str | None
    current_stage: str | None
    updated_at: Time


class CompleteEvent(BaseModel):
    """A job has ended, however it ended; the last event about it."""

    job_id: UUID
    status: Shown
    completed_at: Time | None
    error_code: str | None
    error_message: str | None


@dataclass(frozen=True)
class State:
    """A job at one moment. Shared by all who watch it, so that each event is put into bytes once."""

    owner_id: str
    seen: ProgressEvent
    ending: CompleteEvent | None

    @property
    def job_id(self) -> UUID:
        """Whose state this is."""
        return self.seen.job_id

    @property
    def stage(self) -> tuple[object, ...]:
        """What a `stage` event tells: it is sent when this changes."""
        return self.seen.status, self.seen.current_task, self.seen.current_stage

    @cached_property
    def event_id(self) -> str:
        """Names this state in every process: when it was written, in microseconds, and a checksum of what it says."""
        said = self.seen.model_dump_json() + (self.ending.model_dump_json() if self.ending else "")
        return f"{int(self.seen.updated_at.timestamp() * 1e6)}-{zlib.crc32(said.encode()):08x}"

    def frames(self, *, stage: bool) -> bytes:
        """The events that tell this state; with `stage`, also that the stage is a new one."""
        return (self._stage_frame if stage else b"") + self._progress_frame + self._complete_frame

    @property
    def last_id(self) -> str:
        """The id of the last of its events: whoever has seen that one knows this state."""
        return f"{self.event_id}-{'complete' if self.ending else 'progress'}"

    @cached_property
    def _stage_frame(self) -> bytes:
        told = StageEvent(**self.seen.model_dump(include=set(StageEvent.model_fields)))
        return self._frame("stage", told)

    @cached_property
    def _progress_frame(self) -> bytes:
        return self._frame("progress", self.seen)

    @cached_property
    def _complete_frame(self) -> bytes:
        return self._frame("complete", self.ending) if self.ending else b""

    def _frame(self, name: str, body: BaseModel) -> bytes:
        return ServerSentEvent(body.model_dump_json(), event=name, id=f"{self.event_id}-{name}", sep="\n").encode()


def state_of(job: Job, running: list[Task]) -> State:
    """The state of a job whose running tasks are these."""
    known: ProgressView = progress_view(job, running)
    beats = [task.heartbeat_at for task in running if task.heartbeat_at is not None]
    seen = ProgressEvent(
        job_id=job.id,
        status=job.status,
        current_task=known.current_task,
        current_stage=known.current_stage,
        progress=known.current_task_progress,
        overall_progress=known.overall_progress,
        eta_seconds=known.eta_seconds,
        updated_at=max([job.updated_at, *beats]),
    )
    return State(job.owner_id, seen, _ending(job))


def deleted(state: State) -> State:
    """What is left to say of a job whose row is gone."""
    seen = state.seen.model_copy(update={"status": "deleted", "current_task": None, "current_stage": None})
    ending = CompleteEvent(
        job_id=state.job_id, status="deleted", completed_at=None, error_code=None, error_message=None
    )
    return State(state.owner_id, seen, ending)


def written_at(event_id: str) -> float | None:
    """The Unix time in an event's id; None if it is none of ours."""
    micros = event_id.partition("-")[0]
    return int(micros) / 1e6 if micros.isascii() and micros.isdigit() and len(micros) <= 17 else None


def _ending(job: Job) -> CompleteEvent | None:
    if job.status not in JOB_ENDED:
        return None
    error: Mapping[str, str | None] = {"error_code": job.error_code, "error_message": job.error_message}
    return CompleteEvent(job_id=job.id, status=job.status, completed_at=job.completed_at, **error)
