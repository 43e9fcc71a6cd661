"""The transcriber's worker: speech to text."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from mill_common.queue import TRANSCRIBE
from mill_common.settings import Settings
from mill_common.worker.wiring import worker_of
from mill_transcriber.handlers import HANDLERS


def capability(settings: Settings) -> Mapping[str, str]:
    """What this worker listens with."""
    # Only the child may load CUDA; the driver's device file tells as well.
    found = "cuda" if Path("/dev/nvidiactl").exists() else "cpu"
    return {
        "device": found if settings.whisper_device == "auto" else settings.whisper_device,
        "model": Path(settings.whisper_model).name,
        "faster_whisper": version("faster-whisper"),
    }


transcriber = worker_of("transcriber", TRANSCRIBE, HANDLERS, capability)
