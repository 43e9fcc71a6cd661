"""One set of migrations serves both databases and says what the models say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import inspect

from mill_common.database import Database
from mill_common.migrations import current_revision, drift, is_current, latest_revision, migrate


def test_an_upgrade_from_empty_leaves_nothing_that_the_models_miss(empty_database: Database) -> None:
    migrate(empty_database)
    assert drift(empty_database) == []
    assert is_current(empty_database)


def test_the_claim_index_exists_on_both(empty_database: Database) -> None:
    migrate(empty_database)
    assert "ix_task_claim" in {index["name"] for index in inspect(empty_database.engine).get_indexes("task")}


def test_migrating_twice_at_once_is_migrating_once(empty_database: Database) -> None:
    with ThreadPoolExecutor(4) as threads:
        for migrated in [threads.submit(migrate, empty_database) for _ in range(4)]:
            migrated.result()
    with empty_database.engine.connect() as connection:
        assert current_revision(connection) == latest_revision()


def test_a_downgrade_leaves_nothing_behind(empty_database: Database) -> None:
    from alembic import command

    from mill_common.migrations import _config

    migrate(empty_database)
    with empty_database.engine.begin() as connection:
        command.downgrade(_config(connection), "base")
    assert set(inspect(empty_database.engine).get_table_names()) == {"alembic_version"}
