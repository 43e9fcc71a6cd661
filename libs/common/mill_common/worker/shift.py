"""How long a worker works."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


def _nothing() -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Until it is stopped, unless one of these says otherwise."""

    until_empty: bool = False  # until nothing is due in its queue
    tasks: int | None = None  # until it has claimed so many
    over: Callable[[], None] = _nothing  # called when the worker has ended by itself
