"""No-op tasks through four worker processes, ours and the peers', one after another on the same machine.

Every system has its tasks before its workers start. What counts is the time from when all four processes are at work.
Ours does what it does for any task: each is a job of one task, with its lease, its attempt in the history and its job's
status. The two that keep tasks in PostgreSQL have the same server, which does not wait for its disk.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from servers import Postgres, Redis

from bench import marks
from bench.backlog import backlog
from bench.result import Result

TASKS = 3000
WORKERS = 4
GOAL = 1 / 1.5  # of a peer's time
PATIENCE_S = 300.0
ROOT = Path(__file__).parent.parent
VENV = ROOT / ".venv-peers"
PEER = str(VENV / "bin/python")


def run(folder: Path) -> list[Result]:
    """Our time for a task over the peers'."""
    _install()
    ours = _mill(folder)
    peers = {"procrastinate": _procrastinate(folder), "celery": _celery(folder)}
    return [
        Result(
            f"noop_over_{name}", rate / ours, "×", GOAL, f"{name}'s time for a task; {rate:.0f}/s to our {ours:.0f}/s"
        )
        for name, rate in peers.items()
    ]


def _install() -> None:
    wanted = (ROOT / "requirements/peers.txt").read_text()
    stamp = VENV / ".mediamill"
    if stamp.exists() and stamp.read_text() == wanted:
        return
    subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)], check=True)
    pip = ["uv", "pip", "install", "--quiet", "--python", PEER, "--require-hashes"]
    subprocess.run([*pip, "-r", "requirements/peers.txt"], cwd=ROOT, check=True)
    stamp.write_text(wanted)


def _mill(folder: Path) -> float:
    with Postgres() as postgres, Redis() as redis, backlog(postgres, jobs=TASKS, owners=10) as database:
        environment = {
            "MILL_DATABASE_URL": database.engine.url.render_as_string(hide_password=False),
            "MILL_BROKER_URL": redis.url,
            "MILL_DATA_DIR": str(folder / "mill"),
        }
        worker = [sys.executable, "-m", "bench.peer_mill"]
        return _timed([worker] * WORKERS, environment, folder / "mill.marks")


def _procrastinate(folder: Path) -> float:
    with Postgres() as postgres, postgres.database() as url:
        environment = {"BENCH_POSTGRES": url}
        _defer("bench.peer_procrastinate", environment)
        # One task at a time a process, as ours: with ten at a time it was no faster.
        worker = [PEER, "-m", "procrastinate", "--app", "bench.peer_procrastinate.app", "worker", "-c", "1"]
        return _timed([worker] * WORKERS, environment, folder / "procrastinate.marks")


def _celery(folder: Path) -> float:
    with Redis() as redis:
        environment = {"BENCH_REDIS": redis.url}
        _defer("bench.peer_celery", environment)
        worker = [PEER, "-m", "celery", "-A", "bench.peer_celery", "worker", "-c", str(WORKERS), "-l", "WARNING"]
        return _timed([worker], environment, folder / "celery.marks")


def _defer(module: str, environment: Mapping[str, str]) -> None:
    subprocess.run([PEER, "-m", module, str(TASKS)], cwd=ROOT, env=os.environ | environment, check=True)


def _timed(commands: Sequence[Sequence[str]], environment: Mapping[str, str], path: Path) -> float:
    """Tasks a second."""
    with _running(commands, {**environment, marks.MARKS: str(path)}):
        give_up = time.monotonic() + PATIENCE_S
        while marks.count(path) < TASKS:
            if time.monotonic() > give_up:
                raise RuntimeError(f"{marks.count(path)} of {TASKS} tasks ran: {commands[0]}")
            time.sleep(0.2)
    return marks.rate(path)


@contextmanager
def _running(commands: Sequence[Sequence[str]], environment: Mapping[str, str]) -> Iterator[None]:
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": ROOT}
    workers = [subprocess.Popen(command, env={**os.environ, **environment}, **quiet) for command in commands]
    try:
        yield
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait(60)
