"""`python -m mill_watchdog`: the watchdog as a process of its own."""

from __future__ import annotations

from mill_common.service import serve
from mill_common.settings import Settings
from mill_watchdog.loop import watchdog

if __name__ == "__main__":
    serve("watchdog", watchdog, Settings())
