"""Which function does which kind of task."""

from __future__ import annotations

from mill_common.worker.context import Handler
from mill_transcoder.audio import extract_audio
from mill_transcoder.encode import encode
from mill_transcoder.fetch import fetch
from mill_transcoder.merge import merge
from mill_transcoder.package import package
from mill_transcoder.probe import probe
from mill_transcoder.publish import publish
from mill_transcoder.thumbnails import thumbnails

HANDLERS: dict[str, Handler] = {
    "fetch": fetch,
    "merge": merge,
    "probe": probe,
    "audio": extract_audio,
    "encode": encode,
    "package": package,
    "thumbnails": thumbnails,
    "publish": publish,
}
