"""Looks at the top-level boxes of an MP4 file."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path


def top_boxes(path: Path) -> Iterator[str]:
    """The types of the file's top-level boxes, in order.

    Source: ISO/IEC 14496-12 §4.2.
    """
    end = path.stat().st_size
    with path.open("rb") as file:
        at = 0
        while at + 8 <= end:
            file.seek(at)
            head = file.read(16)
            size, kind = struct.unpack(">I4s", head[:8])
            if size == 1 and len(head) == 16:
                (size,) = struct.unpack(">Q", head[8:])
            yield kind.decode("latin-1")
            if size < 8:  # 0: the box reaches to the end
                return
            at += size


def has_faststart(path: Path) -> bool:
    """Whether the index comes before the media, so that playback can begin with the first bytes."""
    kinds = list(top_boxes(path))
    return "moov" in kinds and "mdat" in kinds and kinds.index("moov") < kinds.index("mdat")
