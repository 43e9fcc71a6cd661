"""Statements that PostgreSQL plans once for each connection: planning one takes it longer than reading a few rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, bindparam, text
from sqlalchemy.dialects import postgresql
from sqlmodel import Session


class Prepared:
    """A SELECT with named parameters and nothing else that varies. On SQLite it is sent as it is."""

    def __init__(self, name: str, select: Select[*tuple[Any, ...]]) -> None:
        self._name = name
        self._select = select
        compiled = select.compile(dialect=postgresql.dialect(paramstyle="numeric_dollar"))  # type: ignore[no-untyped-call]
        names = compiled.positiontup or []
        self._prepare = f"PREPARE {name} AS {compiled}"
        execute = text(f"EXECUTE {name} ({', '.join(f':{known}' for known in names)})")
        kinds = [bindparam(known, type_=compiled.binds[known].type) for known in names]
        self._execute = execute.bindparams(*kinds).columns(*select.selected_columns)

    def rows(self, session: Session, **values: Any) -> Sequence[Any]:
        """What it finds for these values."""
        connection = session.connection()
        if connection.dialect.name != "postgresql":
            return connection.execute(self._select, values).all()
        # Kept with the connection, and outlives a transaction that is rolled back.
        if self._name not in connection.info:
            connection.exec_driver_sql(self._prepare)
            connection.info[self._name] = True
        return connection.execute(self._execute, values).all()
