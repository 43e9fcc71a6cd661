"""Files are read and written by threads, so that no disk ever holds the event loop up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[..., T], *arguments: Any, **keywords: Any) -> T:
    """Call `work` in a thread. It is told to stop, by its keyword `stop`, if this is cancelled."""
    stop = Event()
    try:
        return await asyncio.to_thread(work, *arguments, stop=stop, **keywords)
    except asyncio.CancelledError:
        stop.set()
        raise
