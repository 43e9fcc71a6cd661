"""What the suite measures: how long a fault keeps the jobs that it hits."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

CACHE = "faults/recovery"


class Recovery:
    """Times a block, in seconds: from when a fault has struck, or has passed, to the end of the last job hit."""

    def __init__(self) -> None:
        self.seconds: float | None = None

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is None:
            self.seconds = time.monotonic() - self._began
