"""`python -m mill_watchdog`: the watchdog as a process of its own."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing

import mill_common.starting  # noqa: F401 - first, for signals that come while the rest is loaded
from mill_common.errors import MillError
from mill_common.logs import configure_logs
from mill_common.resources import open_resources
from mill_common.sentry import init_sentry
from mill_common.service import serve
from mill_common.settings import Settings
from mill_watchdog.loop import watchdog
from mill_watchdog.schedules import SWEEPS


def main(arguments: list[str] | None = None) -> int:
    """Watch until SIGTERM, or do one thing and end. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m mill_watchdog", description="Repairs the queue, keeps schedules.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--once", action="store_true", help="repair, do what is due and evaluate alerts once, then end")
    what.add_argument("--run", metavar="NAME", choices=sorted(SWEEPS), help="do one schedule now: " + ", ".join(SWEEPS))
    asked = parser.parse_args(arguments)
    settings = Settings()
    try:
        if asked.once or asked.run:
            return _do(settings, asked.run)
        serve("watchdog", watchdog, settings)
    except MillError as error:
        sys.stderr.write(f"{error.message}\n")
        return 1
    return 0


def _do(settings: Settings, name: str | None) -> int:
    configure_logs(settings, "watchdog")
    init_sentry(settings, "watchdog")
    with closing(open_resources(settings)) as resources:
        once = watchdog(resources)
        if name is None:
            once.repair()
            once.keep_schedules()
            once.deliver()
            once.look_after_alerts()
            return 0
        result = once.run_now(name)
    sys.stdout.write(json.dumps({"status": "completed" if result is not None else "failed", **(result or {})}) + "\n")
    return 0 if result is not None else 1


if __name__ == "__main__":
    sys.exit(main())
