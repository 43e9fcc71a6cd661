"""`scripts/bench [NAME…]`: run benchmarks, print a table, write `bench/results.json`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench import admin, alerts, api, cleanup, clips, job, queue, signals, transcription, upload, watchers, webhooks
from bench.result import Result, table, write

BENCHES = {
    "api": api.run,
    "job": job.run,
    "clips": clips.run,
    "upload": upload.run,
    "transcription": transcription.run,
    "watchers": watchers.run,
    "webhooks": webhooks.run,
    "queue": queue.run,
    "admin": admin.run,
    "signals": signals.run,
    "cleanup": cleanup.run,  # after those that share its load
    "alerts": alerts.run,
}


def main(names: list[str]) -> int:
    """Run the benchmarks named, or all. 1 if a goal was missed."""
    if unknown := set(names) - BENCHES.keys():
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    results: list[Result] = []
    for name in names or BENCHES:
        print(f"{name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix=f"mill-bench-{name}-") as folder:
            results += BENCHES[name](Path(folder))
        write(results)
    print(table(results))
    return 0 if all(result.holds for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
