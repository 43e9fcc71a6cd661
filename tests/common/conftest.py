"""Databases for the tests of the queue: SQLite and real PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from common.desk import Desk
from servers import Postgres

from mill_common.database import Database
from mill_common.migrations import migrate


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without a schema."""
    on_postgres = request.param == "postgres"
    database = Database(request.getfixturevalue("postgres_url") if on_postgres else f"sqlite:///{tmp_path}/mill.db")
    yield database
    database.close()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema, to copy."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A fresh SQLite database with the schema."""
    shutil.copy(sqlite_template, tmp_path / "mill.db")
    return f"sqlite:///{tmp_path}/mill.db"


@pytest.fixture
def migrated_postgres_url(postgres: Postgres) -> Iterator[str]:
    """A fresh PostgreSQL database with the schema."""
    with postgres.database("migrated", _migrate) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A database with the schema."""
    url = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "migrated_postgres_url")
    with closing(Database(url)) as database:
        yield database


@pytest.fixture
def desk(database: Database) -> Desk:
    """A queue with nothing in it yet."""
    return Desk(database)


def _migrate(url: str) -> None:
    with closing(Database(url)) as database:
        migrate(database)
