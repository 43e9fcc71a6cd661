"""Many jobs of many owners, written in bulk: what `enqueue_job` would have written, one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from servers import Postgres
from sqlalchemy import text
from sqlmodel import SQLModel

from mill_common.database import Database
from mill_common.migrations import migrate
from mill_common.models import Job, Owner, Task
from mill_common.queue import Policy, enqueue_job

_NUMBERED = "('01900000-0000-7000-800{}-' || lpad(to_hex({}), 12, '0'))::uuid"  # in the order of their making, as ours
# Each owner's shares are one more than the last, as `queue/share.py` numbers them.
_ROWS: list[tuple[type[SQLModel], dict[str, str], str]] = [
    (Owner, {"id": "'owner-' || n"}, "generate_series(1, :owners) AS n"),
    (
        Job,
        {"id": _NUMBERED.format(0, "n"), "owner_id": "'owner-' || (n % :owners + 1)"},
        "generate_series(0, :jobs - 1) AS n",
    ),
    (
        Task,
        {
            "id": _NUMBERED.format(1, "n"),
            "job_id": _NUMBERED.format(0, "n"),
            "owner_id": "'owner-' || (n % :owners + 1)",
            "share": "n / :owners",
        },
        "generate_series(0, :jobs - 1) AS n",
    ),
]
_INDEXES = """
    SELECT indexname, indexdef FROM pg_indexes JOIN pg_class ON relname = indexname JOIN pg_index ON indexrelid = oid
    WHERE schemaname = 'public' AND tablename IN ('job', 'task') AND NOT indisunique
"""


@contextmanager
def backlog(server: Postgres, *, jobs: int, owners: int) -> Iterator[Database]:
    """A database with so many jobs of one queued task each, spread evenly over so many owners."""
    with server.database() as url, closing(Database(url)) as database:
        migrate(database)
        first = Job(owner_id="first", filename="clip.mp4", source_key="uploads/clip.mp4")
        with database.write() as session:
            session.add(Owner(id="first"))
            session.flush()
            enqueue_job(session, first, Policy())
            indexes = session.execute(text(_INDEXES)).all()
            for name, _ in indexes:
                session.execute(text(f"DROP INDEX {name}"))
            for model, different, source in _ROWS:
                session.execute(text(_like_the_first(model, different, source)), {"owners": owners, "jobs": jobs})
            session.delete(first)
            for _, definition in indexes:
                session.execute(text(definition))
        analyse(database)
        yield database


def _like_the_first(model: type[SQLModel], different: dict[str, str], source: str) -> str:
    """Rows like the first one of its table, but for some columns."""
    names = [column.name for column in model.__table__.columns]  # type: ignore[attr-defined]  # as SQLModel types it
    values = (different.get(name, f"one.{name}") for name in names)
    table = model.__tablename__
    one = f"(SELECT * FROM {table} LIMIT 1) AS one"
    return f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} FROM {one}, {source}".replace(
        "::", "\\:\\:"
    )


def analyse(database: Database) -> None:
    """Do what autovacuum does sooner or later."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM ANALYZE")
