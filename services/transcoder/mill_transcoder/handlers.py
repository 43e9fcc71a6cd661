"""Which function does which kind of task."""

from __future__ import annotations

from mill_common.worker.context import Handler

from mill_transcoder.audio import extract_audio
from mill_transcoder.encode import encode
from mill_transcoder.probe import probe

HANDLERS: dict[str, Handler] = {
    "probe": probe,
    "audio": extract_audio,
    "encode": encode,
}
