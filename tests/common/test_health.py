"""Whether a service can work, asked of real servers."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing

import redis
from servers import Postgres, Redis

from mill_common.health.probe import broker_answers, database_answers, gateway_fault


def _check(**settings: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MILL_")}
    command = [sys.executable, "-m", "mill_common.health"]
    return subprocess.run(command, env={**kept, **settings}, capture_output=True, text=True, check=False)


def test_a_worker_with_its_servers_is_healthy(postgres_url: str, redis_url: str) -> None:
    done = _check(MILL_DATABASE_URL=postgres_url, MILL_BROKER_URL=redis_url)

    assert (done.returncode, done.stderr) == (0, "")


def test_what_does_not_answer_is_named_without_its_password() -> None:
    nowhere = "127.0.0.1:1"
    done = _check(MILL_DATABASE_URL=f"postgresql://u:hush@{nowhere}/x", MILL_BROKER_URL=f"redis://:hush@{nowhere}/0")

    assert done.returncode == 1
    assert done.stderr.splitlines() == ["the database does not answer", "the broker does not answer"]


def test_a_database_is_ill_while_its_server_is_down(postgres_url: str) -> None:
    assert database_answers(postgres_url)
    with Postgres() as server:
        url = server.url
        assert database_answers(url)
        server.stop()
        assert not database_answers(url)
        server.start()
        assert database_answers(url)


def test_a_broker_that_only_reads_is_ill() -> None:
    with Redis() as server, closing(redis.Redis.from_url(server.url)) as client:
        assert broker_answers(server.url)
        client.config_set("min-replicas-to-write", 1)  # as a replica does: it answers, and takes nothing
        assert client.ping()
        assert not broker_answers(server.url)


def test_a_broker_in_the_process_needs_no_server() -> None:
    assert broker_answers("memory://")


def test_a_gateway_that_is_not_there_is_ill() -> None:
    assert gateway_fault(1) == ["the gateway does not answer: ConnectionRefusedError"]
