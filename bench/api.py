"""How fast the gateway answers with a million jobs of fifty owners: J17's table, and beside a bare handler.

The gateway runs as it does in production: it looks up keys, checks scopes, counts rate limits (of which there is room
for more requests than are sent), keeps usage, metrics and one log line a request, which goes to a file. What is not on
is what needs a server of its own: traces (`MILL_SENTRY_DSN`), and limits counted in Redis. Files lie in a folder, so
links are signed by the gateway; those of S3 cost more. The bare handler has the same server under the same settings
(uvicorn with h11 and asyncio), the same pool of connections to the same PostgreSQL, and neither log nor key.
"""

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
LISTING = Ask(f"{API}/jobs")
# Counted, but never reached.
LIMITS = {
    f"MILL_RATE_{name}": "100000000/minute" for name in ("READ", "WRITE", "UPLOAD", "ADMIN", "ADMIN_STATS", "SIGNED")
}
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
    with gateway_on(url, folder, **LIMITS) as mill, _bare(url, folder) as bare_port:
        key = _key(mill)
        jobs = detailed_jobs(mill.database, OWNER)
        looks = [Ask(f"{API}/jobs/{job_id}") for job_id in jobs[CHANGED:]]
        asyncio.run(one_by_one(mill.port, key, looks[:WARM]))
        results = _table(mill, key, looks, jobs[:CHANGED], folder)
        results += _beside_bare(mill, key, looks, bare_port)
    unite(url, OWNER)
    with gateway_on(url, folder, **LIMITS) as mill:
        return [*results, _export(mill, _key(mill))]


def _table(mill: Gateway, key: str, looks: list[Ask], doomed: list[UUID], folder: Path) -> list[Result]:
    store_files(mill.database, Settings(data_dir=folder), doomed)
    rows = {
        "job": list(islice(cycle(looks), TIMES)),
        "list": [LISTING] * TIMES,
        "cancel": [Ask(f"{API}/jobs/{job}/cancel", "POST") for job in open_jobs(mill.database, OWNER, CHANGED)],
        "delete": [Ask(f"{API}/jobs/{job}", "DELETE") for job in doomed],
        "stats": [Ask(f"{API}/jobs/stats")] * TIMES,
        "health": [Ask("/health")] * TIMES,
        "health_detailed": [Ask("/health/detailed")] * TIMES,
    }
    keys = dict.fromkeys(rows, key) | {"health_detailed": mill.key}
    took = {name: asyncio.run(one_by_one(mill.port, keys[name], asks)) for name, asks in rows.items()}
    found = {
        name: asyncio.run(one_by_one(mill.port, key, [Ask(f"{API}/jobs?{query.format(n)}") for n in range(1, 101)]))
        for name, query in (("search", "search=a{:02}"), ("labelled", "metadata=album&page={}"))
    }
    for name, seconds in {**took, **found}.items():
        print(f"{name}: {_ms(median(seconds))}, p95 {_ms(_p95(seconds))}", file=sys.stderr)
    return [
        *(
            Result(f"api_{name}", 1000 * _p95(seconds), "ms", GOALS_MS[name], f"J17's target, p95 of {len(seconds)}")
            for name, seconds in took.items()
        ),
        _list_cost(mill, key, looks),
    ]


def _list_cost(mill: Gateway, key: str, looks: list[Ask]) -> Result:
    # In turn: what else the machine does meanwhile, it does to both.
    asks = [ask for look in islice(cycle(looks), TIMES) for ask in (look, LISTING)]
    took = asyncio.run(one_by_one(mill.port, key, asks))
    ratio = median(took[1::2]) / median(took[::2])
    return Result("api_list_cost", ratio, "×", 3.0, "one job, median of one client that asks for both in turn")


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
