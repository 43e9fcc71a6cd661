"""Gateways for tests: on one machine's settings, and on those of many machines."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from api.running import ADMIN_KEY, Gateway, serving
from pydantic import SecretStr
from servers import Postgres

from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.resources import open_resources
from mill_common.settings import Settings


@pytest.fixture(scope="session")
def empty_schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite database with the schema and nothing in it."""
    path = tmp_path_factory.mktemp("schema") / "mill.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def settings(tmp_path: Path, empty_schema: Path) -> Settings:
    """One machine's settings; a test that needs others overrides this fixture."""
    shutil.copy(empty_schema, tmp_path / "mill.db")
    return Settings(data_dir=tmp_path, admin_key=SecretStr(ADMIN_KEY))


@pytest.fixture
def gateway(settings: Settings) -> Iterator[Gateway]:
    """The gateway on SQLite and files."""
    with closing(open_resources(settings)) as resources, serving(resources) as running:
        yield running


@pytest.fixture(params=["one machine", "many machines"])
def any_gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """The gateway on SQLite and files, then on PostgreSQL and S3."""
    if request.param == "one machine":
        yield request.getfixturevalue("gateway")
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    tmp_path: Path = request.getfixturevalue("tmp_path")
    with postgres.database("mill_api", _migrate) as url:
        settings = Settings(
            data_dir=tmp_path,
            admin_key=SecretStr(ADMIN_KEY),
            database_url=url,
            storage_url=request.getfixturevalue("s3_url"),
        )
        with closing(open_resources(settings)) as resources, serving(resources) as running:
            yield running


@pytest.fixture
def ada(gateway: Gateway) -> Iterator[httpx.Client]:
    """An owner."""
    with gateway.owner("ada") as client:
        yield client


@pytest.fixture
def bob(gateway: Gateway) -> Iterator[httpx.Client]:
    """Another owner."""
    with gateway.owner("bob") as client:
        yield client


def _migrate(url: str) -> None:
    database = Database(url)
    migrate(database)
    database.close()
