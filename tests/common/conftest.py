"""Databases for the tests of the queue: SQLite and real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mill_common.database import Database
from mill_common.migrations import migrate


@pytest.fixture(params=["sqlite", "postgres"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without a schema."""
    on_postgres = request.param == "postgres"
    database = Database(request.getfixturevalue("postgres_url") if on_postgres else f"sqlite:///{tmp_path}/mill.db")
    yield database
    database.close()


@pytest.fixture
def database(empty_database: Database) -> Database:
    """A database with the schema."""
    migrate(empty_database)
    return empty_database
