"""What it costs to be looked at, with a million jobs and six million tasks in the database."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import psutil
from server_process import free_port

from bench.load import SAID, added_up, empty
from bench.result import Result
from mill_common.database import Database
from mill_common.migrations import migrate

ROUNDS = 60
KEY = "a-key-for-the-bench-of-signals"
SCRAPED_S = 15.0  # as `deploy/prometheus` has it


def run(folder: Path) -> list[Result]:
    """Times as a client sees them, in milliseconds, of a gateway on a loaded PostgreSQL; and what a worker spends."""
    url = added_up()
    with gateway(folder, url) as client, idle_worker(folder) as worker:
        before, began = cpu_s(worker), time.monotonic()
        results = _measure(client)
        percent = 100 * (cpu_s(worker) - before) / (time.monotonic() - began)
    return [*results, Result("signals_idle_worker_cpu", percent, "%", 1.0, "one core; all that an idle worker does")]


def _measure(client: httpx.Client) -> list[Result]:
    times = {
        "health_p95": (p95(lambda: client.get("/health")), 10.0),
        "livez_p95": (p95(lambda: client.get("/livez")), 10.0),
        "health_detailed_cached_p95": (p95(lambda: client.get("/health/detailed")), 10.0),
        "metrics_p95": (p95(lambda: client.get("/metrics"), rounds=12, pause_s=5.1), 50.0),
    }
    fresh_ms = statistics.median(_fresh(client) for _ in range(5))
    times["health_detailed_fresh"] = (fresh_ms, 200.0)
    return [Result(f"signals_{name}", value, "ms", goal, SAID) for name, (value, goal) in times.items()]


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
def idle_worker(folder: Path) -> Iterator[psutil.Process]:
    """A transcoder with nothing to do, whose metrics are read as Prometheus reads them."""
    port = free_port()
    with empty() as url:
        with closing(Database(url)) as database:
            migrate(database)
        settings = {"MILL_DATA_DIR": str(folder / "worker"), "MILL_DATABASE_URL": url, "MILL_SIGNALS_PORT": str(port)}
        with (folder / "worker.log").open("wb") as log:
            command = [sys.executable, "-m", "mill_transcoder"]
            child = subprocess.Popen(command, env={**os.environ, **settings}, stdout=log, stderr=log)
        done = threading.Event()
        scraping = threading.Thread(target=_scrape, args=(f"http://127.0.0.1:{port}/metrics", done))
        try:
            _await_worker(port, child)
            scraping.start()
            yield psutil.Process(child.pid)
        finally:
            done.set()
            child.terminate()
            child.wait(60)


def cpu_s(process: psutil.Process) -> float:
    """What a process and those of its children that have ended have spent."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _scrape(url: str, done: threading.Event) -> None:
    while not done.wait(SCRAPED_S):
        httpx.get(url).raise_for_status()


def _await_worker(port: int, child: subprocess.Popen[bytes]) -> None:
    """Wait until it answers, and until its first checkup is over."""
    while child.poll() is None:
        try:
            httpx.get(f"http://127.0.0.1:{port}/health/detailed", timeout=30)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"mill_transcoder ended with {child.returncode}")
