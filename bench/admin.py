"""What administrators' figures and lists take, with a million jobs and six million tasks in the database."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import httpx

from bench.load import SAID, added_up
from bench.result import Result
from bench.signals import gateway, p95

GOAL_MS = 200.0
ROUNDS = 20
LISTS: dict[str, dict[str, int | str]] = {
    "jobs_page_1": {"page": 1},
    "jobs_page_10000": {"page": 10_000},
    "jobs_failed": {"status_filter": "failed"},
    "jobs_running": {"status_filter": "running"},
}


def run(folder: Path) -> list[Result]:
    """Times as a client sees them, in milliseconds."""
    url = added_up()
    # Kept for no time at all, so that each request has its figures reckoned.
    with gateway(folder, url, MILL_RATE_LIMITS="false", MILL_ADMIN_STATS_S="0.000001") as client:
        found = _fresh(client)
    with gateway(folder, url, MILL_RATE_LIMITS="false") as client:
        return found + _kept(client)


def _fresh(client: httpx.Client) -> list[Result]:
    asked = {"stats_fresh": "/api/v1/admin/stats", "processing_fresh": "/api/v1/monitoring/stats"}
    return [_result(name, p95(partial(client.get, path), rounds=8)) for name, path in asked.items()]


def _kept(client: httpx.Client) -> list[Result]:
    times = {"stats_kept": p95(lambda: client.get("/api/v1/admin/stats"), rounds=ROUNDS)}
    for name, query in LISTS.items():
        times[name] = p95(partial(client.get, "/api/v1/admin/jobs", params=query), rounds=ROUNDS)
    deep = client.get("/api/v1/admin/jobs", params={"page": 10_000}).json()["next_cursor"]
    if deep is not None:
        times["jobs_cursor"] = p95(lambda: client.get("/api/v1/admin/jobs", params={"cursor": deep}), rounds=ROUNDS)
    return [_result(name, value) for name, value in times.items()]


def _result(name: str, value: float) -> Result:
    return Result(f"admin_{name}_p95", value, "ms", GOAL_MS, SAID)
