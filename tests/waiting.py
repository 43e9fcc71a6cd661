"""Tests wait on conditions, with generous limits, and never on the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

WAIT_S = 240.0


def wait_for(condition: Callable[[], Any]) -> Any:
    """Wait until `condition` gives something true, and give that."""
    until = time.monotonic() + WAIT_S
    while time.monotonic() < until:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("nothing came of waiting")
