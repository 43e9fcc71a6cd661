"""What a key may be, and what its suffix says about the object."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

KEY_MAX = 1024  # bytes in UTF-8, as in S3
SEGMENT_MAX = 240  # bytes in UTF-8: a file system takes 255
SEGMENTS_MAX = 64

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff\ufffe\uffff]")  # XML listings can't carry most of these
_TYPES = {
    ".aac": "audio/aac",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4a": "audio/mp4",
    ".m4s": "video/iso.segment",
    ".mkv": "video/x-matroska",
    ".mov": "video/quicktime",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".mpd": "application/dash+xml",
    ".opus": "audio/ogg",
    ".png": "image/png",
    ".srt": "application/x-subrip",
    ".ts": "video/mp2t",
    ".txt": "text/plain; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webp": "image/webp",
}


def check_key(key: str) -> str:
    """The key itself.

    Raises:
        ValueError: If it is no relative path of plain segments, is too long or deep, or holds a control character or a
            backslash.
    """
    if _FORBIDDEN.search(key):
        raise ValueError(f"key with a forbidden character: {key!r}")
    if len(key.encode()) > KEY_MAX:
        raise ValueError(f"key longer than {KEY_MAX} bytes: {key[:40]!r}…")
    segments = key.split("/")
    if len(segments) > SEGMENTS_MAX:
        raise ValueError(f"key of more than {SEGMENTS_MAX} segments: {key[:40]!r}…")
    for segment in segments:
        if segment in {"", ".", ".."}:
            raise ValueError(f"key with an empty or relative segment: {key!r}")
        if len(segment.encode()) > SEGMENT_MAX:
            raise ValueError(f"key with a segment longer than {SEGMENT_MAX} bytes: {segment[:40]!r}…")
    return key


def type_by_suffix(key: str) -> str:
    """The content type that a key's suffix stands for."""
    return _TYPES.get(PurePosixPath(key).suffix.lower(), "application/octet-stream")
