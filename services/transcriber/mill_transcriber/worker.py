"""The transcriber's worker: speech to text."""

from __future__ import annotations

from mill_common.queue import TRANSCRIBE
from mill_common.resources import Resources
from mill_common.worker import Runner
from mill_transcriber.handlers import HANDLERS


def transcriber(resources: Resources) -> Runner:
    """A transcriber that works with these resources."""
    return Runner(
        service="transcriber",
        queue_name=TRANSCRIBE,
        handlers=HANDLERS,
        queue=resources.queue,
        store=resources.store,
        settings=resources.settings,
        slots=resources.settings.transcriber_threads,
    )
