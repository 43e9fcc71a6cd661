"""Real servers for every test that asks: started once, when first asked for.

An absent server skips the test on a developer's machine and fails it in CI.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from servers import S3, Postgres, Redis, ServerMissing

# A shell that runs the tests in the background has them ignore SIGINT, and every process they start would, too.
signal.signal(signal.SIGINT, signal.default_int_handler)

Started = TypeVar("Started", Postgres, Redis, S3)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server; leave it as it is, and start your own to break one."""
    with _installed(Postgres) as server:
        yield server


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    """A Redis server; leave it as it is, and start your own to break one."""
    with _installed(Redis) as server:
        yield server


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """An S3 server; leave it as it is, and start your own to break one."""
    with _installed(S3) as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """A fresh, empty database."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def redis_url(redis_server: Redis) -> Iterator[str]:
    """An empty Redis database."""
    with redis_server.database() as url:
        yield url


@pytest.fixture
def s3_url(s3: S3) -> Iterator[str]:
    """A fresh, empty bucket."""
    with s3.bucket() as url:
        yield url


def _installed(server: Callable[[], Started]) -> Started:
    try:
        return server()
    except ServerMissing as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
