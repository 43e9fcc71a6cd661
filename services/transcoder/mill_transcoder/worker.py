"""The transcoder's worker: from `probe` to `publish`."""

from __future__ import annotations

from mill_common.queue import TRANSCODE
from mill_common.resources import Resources
from mill_common.worker import WokenRunner
from mill_transcoder.handlers import HANDLERS


def transcoder(resources: Resources) -> WokenRunner:
    """A transcoder that works with these resources."""
    slots = resources.settings.transcoder_threads
    return WokenRunner(service="transcoder", queue_name=TRANSCODE, handlers=HANDLERS, resources=resources, slots=slots)
