"""The transcriber's worker: speech to text."""

from __future__ import annotations

from mill_common.queue import TRANSCRIBE
from mill_common.resources import Resources
from mill_common.worker import WokenRunner
from mill_transcriber.handlers import HANDLERS


def transcriber(resources: Resources) -> WokenRunner:
    """A transcriber that works with these resources."""
    slots = resources.settings.transcriber_threads
    return WokenRunner(
        service="transcriber", queue_name=TRANSCRIBE, handlers=HANDLERS, resources=resources, slots=slots
    )
