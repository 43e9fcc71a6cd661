"""To be imported before anything else by a service's `__main__`: a signal while it is still being loaded ends it well.

Loading takes a second or two, in which nothing has begun that would have to be ended. Without a handler the kernel
keeps a signal from the first process of a container, which would then be killed when its grace is over.
"""

from __future__ import annotations

import os
import signal
from types import FrameType


def _end(number: int, _frame: FrameType | None) -> None:
    os._exit(128 + number)  # as a shell reports it


for _number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(_number, _end)
