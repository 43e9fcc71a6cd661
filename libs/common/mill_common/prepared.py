"""Statements that PostgreSQL parses and plans once a connection.

A claim is planned for three times as long as it runs. SQLite's driver keeps its statements prepared by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any, NamedTuple
from uuid import UUID

import sentry_sdk
from sqlalchemy import Connection, CursorResult, Select, Update, bindparam, column, text
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import TextualSelect

from mill_common.database import Database

_DIALECT = PGDialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it so
_KEY = "mill_prepared"


class _Compiled(NamedTuple):
    prepare: str
    execute: TextualSelect
    plain: str  # the same for the driver alone


class Prepared:
    """A statement whose text never changes. `name` tells it from all others."""

    def __init__(self, name: str, statement: Select[Any] | Update) -> None:
        self.statement = statement
        self._name = f"mill_{name}"
        self._kept: _Compiled | None = None

    def execute(self, connection: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Execute it; `values` are those of its bind parameters that have none yet."""
        if connection.dialect.name != "postgresql":
            return connection.execute(self.statement, values)
        compiled = self._compiled
        known = connection.info.setdefault(_KEY, set())
        if self._name not in known:
            connection.exec_driver_sql(compiled.prepare)
            known.add(self._name)
        return connection.execute(compiled.execute, values)

    def scalar(self, database: Database, values: Mapping[str, Any]) -> Any:
        """The first value of the first row; None if there is none. The statement is a transaction by itself.

        For what is asked very often: on PostgreSQL one round trip, not three, and nothing between it and the driver.
        With a DSN it goes the long way, which leaves its span in the trace. Values are texts, numbers and ids, and the
        statement has none of its own.
        """
        if database.is_sqlite or sentry_sdk.is_initialized():
            with database.engine.connect() as connection:
                return self.execute(connection, values).scalar()
        plain = {name: str(value) if isinstance(value, UUID) else value for name, value in values.items()}
        with database.by_itself() as driver, closing(driver.cursor()) as cursor:
            known = driver.info.setdefault(_KEY, set())
            if self._name not in known:
                cursor.execute(self._compiled.prepare)
                known.add(self._name)
            cursor.execute(self._compiled.plain, plain)
            row = cursor.fetchone()
        return row[0] if row else None

    @property
    def _compiled(self) -> _Compiled:
        self._kept = self._kept or self._compile()
        return self._kept

    def _compile(self) -> _Compiled:
        compiled = self.statement.compile(dialect=_DIALECT)
        assert isinstance(compiled, SQLCompiler)
        binds = [compiled.binds[name] for name in compiled.positiontup or ()]
        types = ", ".join(bind.type.compile(_DIALECT) for bind in binds)
        names = [f"p{number}" if not bind.required else bind.key for number, bind in enumerate(binds)]
        execute = text(f"EXECUTE {self._name}({', '.join(f':{name}' for name in names)})").bindparams(
            *(
                bindparam(name, type_=bind.type) if bind.required else bindparam(name, bind.effective_value, bind.type)
                for name, bind in zip(names, binds, strict=True)
            )
        )
        shown = [column(str(each.key), each.type) for each in self.statement.exported_columns]
        return _Compiled(
            f"PREPARE {self._name}({types}) AS {compiled}",
            execute.columns(*shown),
            f"EXECUTE {self._name}({', '.join(f'%({name})s' for name in names)})",
        )
