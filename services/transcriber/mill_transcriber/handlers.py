"""The transcriber's tasks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mill_common.metrics.instruments import MEDIA_SECONDS
from mill_common.queue.types import TaskResult
from mill_common.settings import Settings
from mill_common.spec import TranscriptSpec
from mill_common.worker.context import Handler, TaskContext
from mill_transcriber.engine import Engine
from mill_transcriber.models import locate
from mill_transcriber.options import EngineOptions
from mill_transcriber.transcript import Transcript
from mill_transcriber.writers import documents


def transcribe(task: TaskContext) -> TaskResult:
    """Write down what is said in `speech.wav`; where nobody speaks, that is nothing."""
    spec = task.job.spec.transcript or TranscriptSpec()
    engine = engine_for(options_from(task.settings))
    transcript = engine.transcribe(task, task.fetch("speech.wav"), spec.language, spec.task)
    MEDIA_SECONDS.labels("transcribe").inc(transcript.duration_s)
    for document in documents(transcript, words=spec.words):
        asked = document.format in spec.formats
        # Without subtitles of its own the stream still gets its captions from them.
        if not asked and not (document.format == "vtt" and task.job.spec.hls):
            continue
        path = task.scratch / document.name
        path.write_text(document.text, encoding="utf-8", newline="\n")
        task.put(path, document.name, kind="transcript", content_type=document.content_type, intermediate=not asked)
    task.progress(1.0, "transcribing")
    return TaskResult(result={"language": transcript.written_in}, transcript=_facts(transcript))


def _facts(transcript: Transcript) -> Mapping[str, Any]:
    return {
        "language": transcript.language,
        "task": transcript.task,
        "language_probability": transcript.language_probability,
        "word_count": len(transcript.words),
        "duration_s": transcript.duration_s,
        "model": transcript.model,
        "segments": len(transcript.segments),
    }


def options_from(settings: Settings) -> EngineOptions:
    """The engine that the settings ask for.

    Raises:
        ModelUnavailable: No model is set, or its folder is not whole.
    """
    name = settings.whisper_model
    return EngineOptions(
        model=locate(name),
        name=Path(name).name,
        device=settings.whisper_device,
        compute_type=settings.whisper_compute_type,
        threads=settings.whisper_threads or _cores(),
        batch=settings.whisper_batch,
        beam=settings.whisper_beam,
        idle_s=settings.whisper_idle_s,
        stall_s=settings.stall_s,
    )


@cache
def engine_for(options: EngineOptions) -> Engine:
    """The engine that this process's threads share."""
    return Engine(options)


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


HANDLERS: Mapping[str, Handler] = {"transcribe": transcribe}
