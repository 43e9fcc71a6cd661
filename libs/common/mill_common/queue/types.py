"""What passes between a worker and the queue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from mill_common.spec import JobSpec

TRANSCODE = "transcode"
TRANSCRIBE = "transcribe"


@dataclass(frozen=True, kw_only=True)
class NewTask:
    """A task to be written. `needs` are names of tasks of the same job that must complete first."""

    name: str  # unique within the job: "probe", "encode-000"
    kind: str  # what runs it: "encode"
    queue: str = TRANSCODE
    params: Mapping[str, Any] = field(default_factory=dict)  # JSON
    needs: Sequence[str] = ()
    weight: float = 1.0  # share of the job's progress, relative to its siblings


@dataclass(frozen=True, kw_only=True)
class NewOutput:
    """An object in storage that a task made.

    `files` is empty for a single object; for a tree (`name` ends in "/") it maps each relative path to its size
    in bytes, and `object_key` is the common prefix, which ends in "/".
    """

    name: str  # unique within the job: "360p.mp4", "hls/", "chunks/000/360p.mp4"
    kind: str  # "rendition", "hls", "audio", "transcript", "thumbnail", "chunk", "speech" …
    object_key: str
    size: int  # bytes
    sha256: str
    content_type: str
    intermediate: bool = False  # made for another task, removed when the job is published
    facts: Mapping[str, Any] = field(default_factory=dict)  # JSON: width, height, duration_s …
    files: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TaskResult:
    """What a handler hands back. Written in one transaction with the task's completion.

    Outputs stored through `TaskContext.put` need not be listed here; the worker adds them.
    """

    result: Mapping[str, Any] = field(default_factory=dict)  # JSON, read by later tasks with `result_of`
    tasks: Sequence[NewTask] = ()
    media: Mapping[str, Any] | None = None  # JSON facts of the source, written to the job
    transcript: Mapping[str, Any] | None = None  # JSON facts of the transcript, written to the job
    source: SourceFacts | None = None
    publish: bool = False  # make the job's outputs visible


@dataclass(frozen=True, kw_only=True)
class SourceFacts:
    """Where a fetched source lies and what it is."""

    object_key: str
    size: int  # bytes
    sha256: str
    filename: str


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What an attempt cost."""

    cpu_s: float = 0.0  # of child processes
    peak_memory: int = 0  # bytes, the largest child's
    bytes_in: int = 0
    bytes_out: int = 0
    log_tail: str = ""  # the end of what the children said


@dataclass(frozen=True, kw_only=True)
class JobFacts:
    """What a worker may know of the job it works for."""

    id: UUID
    owner_id: str
    spec: JobSpec
    filename: str
    source_key: str | None
    source_url: str | None
    source_size: int | None
    media: Mapping[str, Any] | None
    source_sha256: str | None = None  # as far as it is known
    trace: Mapping[str, str] | None = None  # headers that continue the trace it was handed in under


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One worker's right to run one task until `lease_until`. `epoch` fences every write made under it."""

    task_id: UUID
    epoch: int
    worker: str
    job: JobFacts
    name: str
    kind: str
    queue: str
    params: Mapping[str, Any]
    attempts: int
    max_attempts: int
    lease_until: datetime
    waited_s: float = 0.0  # since it was due
