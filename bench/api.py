"""How fast the gateway answers with a million jobs of fifty owners: J17's table, and beside a bare handler."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import cycle, islice
from pathlib import Path
from statistics import median, quantiles
from uuid import UUID

import httpx
from server_process import free_port
from servers import Postgres

from bench.gateway import Gateway, gateway_on
from bench.http_clients import Ask, one_by_one, per_second
from bench.million import JOBS, detailed_jobs, fill, open_jobs, store_files, unite
from bench.result import Result
from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.settings import Settings

OWNER = "owner7"
CLIENTS = 20
ROUNDS = 3  # of both servers in turn; the middle one counts
ROUND_S = 4.0
TIMES = 200  # a row of the table
CHANGED = 100  # jobs that are cancelled, and deleted
WARM = 50
API = "/api/v1"
# Document 001, "Performance Targets": milliseconds.
GOALS_MS = {"job": 50, "list": 100, "cancel": 100, "delete": 500, "stats": 200, "health": 10, "health_detailed": 200}


def run(folder: Path) -> list[Result]:
    """The 95th percentile of each row of J17, throughput beside a bare SELECT, and the memory of an export."""
    with Postgres() as postgres, postgres.database() as url:
        with closing(Database(url)) as database:
            migrate(database)
            began = time.monotonic()
            fill(database)
            print(f"{JOBS} jobs in {time.monotonic() - began:.0f} s", file=sys.stderr)
        return measure(url, folder)


def measure(url: str, folder: Path) -> list[Result]:
    """The same on a database that is filled already."""
    with gateway_on(url, folder, MILL_RATE_LIMITS="false") as mill, _bare(url, folder) as bare_port:
        key = _key(mill)
        jobs = detailed_jobs(mill.database, OWNER)
        looks = [Ask(f"{API}/jobs/{job_id}") for job_id in jobs[CHANGED:]]
        asyncio.run(one_by_one(mill.port, key, looks[:WARM]))
        results = _table(mill, key, looks, jobs[:CHANGED], folder)
        results += _beside_bare(mill, key, looks, bare_port)
    unite(url, OWNER)
    with gateway_on(url, folder, MILL_RATE_LIMITS="false") as mill:
        return [*results, _export(mill, _key(mill))]


def _table(mill: Gateway, key: str, looks: list[Ask], doomed: list[UUID], folder: Path) -> list[Result]:
    store_files(mill.database, Settings(data_dir=folder), doomed)
    listing = Ask(f"{API}/jobs")
    rows = {
        "job": list(islice(cycle(looks), TIMES)),
        "list": [listing] * TIMES,
        "cancel": [Ask(f"{API}/jobs/{job}/cancel", "POST") for job in open_jobs(mill.database, OWNER, CHANGED)],
        "delete": [Ask(f"{API}/jobs/{job}", "DELETE") for job in doomed],
        "stats": [Ask(f"{API}/jobs/stats")] * TIMES,
        "health": [Ask("/health")] * TIMES,
        "health_detailed": [Ask("/health/detailed")] * TIMES,
    }
    keys = dict.fromkeys(rows, key) | {"health_detailed": mill.key}
    took = {name: asyncio.run(one_by_one(mill.port, keys[name], asks)) for name, asks in rows.items()}
    searches = asyncio.run(one_by_one(mill.port, key, [Ask(f"{API}/jobs?search=a{n:02}") for n in range(100)]))
    for name, seconds in {**took, "search": searches}.items():
        print(f"{name}: {_ms(median(seconds))}, p95 {_ms(_p95(seconds))}", file=sys.stderr)
    ratio = median(took["list"]) / median(took["job"])
    return [
        *(
            Result(f"api_{name}", 1000 * _p95(seconds), "ms", GOALS_MS[name], f"J17's target, p95 of {len(seconds)}")
            for name, seconds in took.items()
        ),
        Result("api_list_cost", ratio, "×", 3.0, "one job, median of one client"),
    ]


def _beside_bare(mill: Gateway, key: str, looks: list[Ask], bare_port: int) -> list[Result]:
    bare = [Ask("/" + look.path.rpartition("/")[2]) for look in looks]
    rounds = []
    for _ in range(ROUNDS + 1):
        each = [
            asyncio.run(per_second(port, key, asks, clients=CLIENTS, for_s=ROUND_S))
            for port, asks in ((bare_port, bare), (mill.port, looks))
        ]
        print(f"bare {each[0]:.0f}/s, one job {each[1]:.0f}/s", file=sys.stderr)
        rounds.append(each)
    ratio = median(plain / ours for plain, ours in rounds[1:])  # the first warms both
    against = f"a bare handler's one prepared SELECT, requests a second of {CLIENTS} clients"
    return [Result("api_job_throughput", ratio, "×", 2.0, against)]


def _export(mill: Gateway, key: str) -> Result:
    with httpx.Client(base_url=mill.url, headers={"X-API-Key": key}, timeout=600) as client:
        client.get(f"{API}/jobs")
        before = most = mill.memory()
        lines = 0
        with client.stream("GET", f"{API}/jobs/export", params={"format": "csv"}) as answer:
            for part in answer.iter_bytes():
                lines += part.count(b"\n")
                most = max(most, mill.memory())
    if lines < JOBS - 2 * CHANGED:
        raise RuntimeError(f"the export has {lines} lines")
    against = f"the same gateway before an export of {lines - 1} jobs"
    return Result("api_export_memory", (most - before) / 2**20, "MiB", 64.0, against)


@contextmanager
def _bare(url: str, folder: Path) -> Iterator[int]:
    port = free_port()
    with (folder / "bare.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "bench.bare_select", url, str(port)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
    try:
        while child.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{port}/")
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield port
    finally:
        child.terminate()
        child.wait(60)


def _key(mill: Gateway) -> str:
    made = httpx.post(
        f"{mill.url}{API}/keys", headers={"X-API-Key": mill.key}, json={"name": "bench", "owner": OWNER}
    ).raise_for_status()
    key: str = made.json()["key"]
    return key


def _p95(seconds: list[float]) -> float:
    return quantiles(seconds, n=20)[-1]


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.1f} ms"
