"""The schema's history, one set for SQLite and PostgreSQL."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlmodel import SQLModel

from mill_common import models, workers  # noqa: F401 - fill the metadata
from mill_common.database import Database
from mill_common.runs import models as run_models  # noqa: F401 - fills the metadata

# Indexes on expressions, which the models can't say for both databases and Alembic can't compare.
_UNMODELLED = {"ix_job_owner_completed"}

# Any number that nothing else on the same server uses; one migration at a time.
_LOCK = 0x6D696C6C


def migrate(database: Database, revision: str = "head") -> None:
    """Bring the schema to `revision`. Safe to call from several processes at once."""
    with database.engine.execution_options(mill_write=True).begin() as connection:
        if not database.is_sqlite:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        if current_revision(connection) == latest_revision() and revision == "head":
            return
        command.upgrade(_config(connection), revision)


def current_revision(connection: Connection) -> str | None:
    """The revision that the database is at; None if it is empty."""
    return MigrationContext.configure(connection).get_current_revision()


def latest_revision() -> str | None:
    """The revision that this program needs."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def is_current(database: Database) -> bool:
    """Whether the schema is the one that this program needs."""
    with database.engine.connect() as connection:
        return current_revision(connection) == latest_revision()


def drift(database: Database) -> list[object]:
    """What the models say that the schema does not, in Alembic's terms."""
    with database.engine.connect() as connection:
        options = {"include_name": lambda name, kind, _: kind != "index" or name not in _UNMODELLED}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), SQLModel.metadata))


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
