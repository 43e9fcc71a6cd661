"""Identifiers that sort by the time they were made."""

from __future__ import annotations

import os
import threading
import time
from datetime import datetime
from uuid import UUID

_lock = threading.Lock()
_last = 0


def uuid7() -> UUID:
    """A version 7 UUID: Unix time in milliseconds and 4096ths of one, then 62 random bits.

    Those of one process are strictly ascending, so that tasks written together keep their order.

    Source: RFC 9562 §5.7 and §6.2, method 3.
    """
    global _last  # noqa: PLW0603 - what makes a process's identifiers ascend
    with _lock:
        _last = ticks = max((time.time_ns() << 12) // 1_000_000, _last + 1)
    random = int.from_bytes(os.urandom(8), "big") & (2**62 - 1)
    milliseconds = (ticks >> 12) & (2**48 - 1)
    return UUID(int=milliseconds << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | random)


def first_of(at: datetime) -> UUID:
    """What sorts before all identifiers that are made from a time on, and after those made before."""
    return UUID(int=int(at.timestamp() * 1000) << 80)
