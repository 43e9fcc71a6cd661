"""Rows that a test keeps to itself for as long as it likes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Select, text
from sqlmodel import Session

from mill_common.database import Database


@contextmanager
def holding(database: Database, rows: Select[Any]) -> Iterator[None]:
    """Keep rows of a PostgreSQL database locked until the block ends."""
    with _patient(database) as session:
        session.execute(rows.with_for_update())
        yield


@contextmanager
def closing_off(database: Database, table: str) -> Iterator[None]:
    """Let nobody lock a row of a table until the block ends: not even who leaves out those that are locked."""
    with _patient(database) as session:
        session.execute(text(f"LOCK TABLE {table} IN EXCLUSIVE MODE"))
        yield


@contextmanager
def _patient(database: Database) -> Iterator[Session]:
    with database.write() as session:
        # Otherwise the server ends a transaction that does nothing, and a busy machine takes its time.
        session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield session


def somebody_waits(database: Database) -> bool:
    """Whether a transaction waits for a row that another one holds."""
    with database.read() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
