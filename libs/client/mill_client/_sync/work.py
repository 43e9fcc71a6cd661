"""Files are read and written where they are asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def in_thread(work: Callable[..., T], *arguments: Any, **keywords: Any) -> T:
    """Call `work`; a program that has threads of its own may give a `stop`."""
    return work(*arguments, **keywords)
