"""What it costs to be looked at, with a million jobs and six million tasks in the database.

`MILL_BENCH_JOBS` scales the load; each job has six tasks, of which one in fifty waits, runs or has failed.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import psutil
from server_process import free_port
from servers import Postgres

from bench.result import Result
from mill_common.database import Database
from mill_common.migrations import migrate

JOBS = int(os.environ.get("MILL_BENCH_JOBS", "1000000"))
OWNERS = 50
ROUNDS = 60
KEY = "a-key-for-the-bench-of-signals"

_FILL = """
INSERT INTO owner (id, weight, created_at)
    SELECT 'owner-' || n, 1, now() FROM generate_series(1, {owners}) n;
INSERT INTO job (id, owner_id, status, priority, progress, spec, user_metadata, filename, created_at, updated_at)
    SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'owner-' || (n / 50 % {owners} + 1),
        CASE WHEN n % 50 = 0 THEN 'processing' ELSE 'completed' END, 5, 1, '{{}}', '{{}}', 'clip.mp4',
        now() - n * interval '1 second', now()
    FROM generate_series(1, {jobs}) n;
INSERT INTO task (id, job_id, owner_id, queue, kind, name, params, status, progress, weight, rank, share, epoch,
        attempts, max_attempts, crashes, run_after, wake_at, lease_until, heartbeat_at, progress_at, created_at,
        queued_at, finished_at)
    SELECT ('00000000-0000-7000-8' || to_hex(t) || '00-' || lpad(to_hex(n), 12, '0'))::uuid,
        ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'owner-' || (n / 50 % {owners} + 1),
        CASE WHEN t = 5 THEN 'transcribe' ELSE 'transcode' END, 'encode', 'encode-' || t, '{{}}',
        CASE WHEN n % 50 > 0 THEN 'completed' WHEN n % 5000 = 0 AND t = 1 THEN 'failed'
            WHEN n % 5000 = 50 AND t = 1 THEN 'running' ELSE 'queued' END,
        1, 1, 4, n, 1, 1, 5, 0, now(), now() + interval '1 hour', now() + interval '1 hour', now(), now(),
        now() - n * interval '1 second', now() - n * interval '1 second', now()
    FROM generate_series(1, {jobs}) n, generate_series(1, 6) t;
INSERT INTO attempt (task_id, epoch, worker, started_at, ended_at, outcome, cpu_s, peak_memory, bytes_in, bytes_out,
        log_tail)
    SELECT id, 1, 'worker', created_at, created_at + interval '3 seconds', 'completed', 1, 1, 1, 1, ''
    FROM task WHERE status = 'completed' ORDER BY created_at;
"""


def run(folder: Path) -> list[Result]:
    """Times as a client sees them, in milliseconds, of a gateway on a loaded PostgreSQL."""
    with roomy_postgres(folder) as url:
        fill(url)
        with gateway(folder, url) as client:
            return _measure(client)


def _measure(client: httpx.Client) -> list[Result]:
    load = f"{JOBS:,} jobs and {6 * JOBS:,} tasks"
    times = {
        "health_p95": (p95(lambda: client.get("/health")), 10.0),
        "livez_p95": (p95(lambda: client.get("/livez")), 10.0),
        "health_detailed_cached_p95": (p95(lambda: client.get("/health/detailed")), 10.0),
        "metrics_p95": (p95(lambda: client.get("/metrics"), rounds=12, pause_s=5.1), 50.0),
    }
    fresh_ms = statistics.median(_fresh(client) for _ in range(5))
    times["health_detailed_fresh"] = (fresh_ms, 200.0)
    return [Result(f"signals_{name}", value, "ms", goal, load) for name, (value, goal) in times.items()]


def _fresh(client: httpx.Client) -> float:
    """What a report took that was not there before, going by the report itself."""
    before = client.get("/health/detailed").json()["timestamp"]
    while True:
        report = client.get("/health/detailed").json()
        if report["timestamp"] != before:
            return float(report["total_check_time_ms"])
        time.sleep(0.1)


def p95(ask: Callable[[], httpx.Response], rounds: int = ROUNDS, pause_s: float = 0.0) -> float:
    """The 95th percentile of what an answer takes, in milliseconds."""
    taken: list[float] = []
    ask()
    for _ in range(rounds):
        time.sleep(pause_s)  # longer than what is kept, so that each round asks the rows
        began = time.perf_counter()
        answer = ask()
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.text
    return statistics.quantiles(taken, n=20)[-1]


def fill(url: str) -> None:
    """Load the jobs, tasks and attempts."""
    with closing(Database(url)) as database:
        migrate(database)
        connection = database.engine.raw_connection()
        try:
            connection.cursor().execute(_FILL.format(owners=OWNERS, jobs=JOBS))
            connection.commit()
            connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]  # psycopg2's own
            connection.cursor().execute("VACUUM ANALYZE")
        finally:
            connection.close()


@contextmanager
def gateway(folder: Path, url: str, **settings: str) -> Iterator[httpx.Client]:
    """An API of its own on that database, and somebody with its admin key."""
    port = free_port()
    environment = {
        **os.environ,
        "MILL_DATA_DIR": str(folder / "data"),
        "MILL_DATABASE_URL": url,
        "MILL_ADMIN_KEY": KEY,
        "MILL_HEALTH_CACHE_S": "4",
        "MILL_SCRATCH_FREE_BYTES": "0",
        **settings,
    }
    with (folder / "api.log").open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-m", "mill_api", "--port", str(port)], env=environment, stdout=log, stderr=log
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"X-API-Key": KEY}, timeout=60) as client:
            _await(client, child)
            yield client
    finally:
        child.terminate()
        child.wait(60)


def _await(client: httpx.Client, child: subprocess.Popen[bytes]) -> None:
    while child.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"mill_api ended with {child.returncode}")


@contextmanager
def roomy_postgres(folder: Path) -> Iterator[str]:
    """A server with room for the load."""
    needed = 6 * JOBS * 1200  # bytes, with indexes
    if shutil.disk_usage(folder).free < needed or psutil.virtual_memory().available < 2**30:
        raise RuntimeError("not enough room: set MILL_BENCH_JOBS to less")
    with Postgres() as server, server.database() as url:
        yield url
