"""The transcoder's worker: from `probe` to `publish`."""

from __future__ import annotations

from mill_common.queue import TRANSCODE
from mill_common.resources import Resources
from mill_common.worker import Runner
from mill_transcoder.handlers import HANDLERS


def transcoder(resources: Resources) -> Runner:
    """A transcoder that works with these resources."""
    return Runner(
        service="transcoder",
        queue_name=TRANSCODE,
        handlers=HANDLERS,
        queue=resources.queue,
        store=resources.store,
        settings=resources.settings,
        slots=resources.settings.transcoder_threads,
    )
