"""Statements that PostgreSQL parses and plans once a connection.

A claim is planned for three times as long as it runs, and SQLAlchemy's own way to the server and back costs three times
what the driver's does. SQLite's driver keeps its statements prepared by itself.
"""

from __future__ import annotations

import re
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

from sqlalchemy import BindParameter, Connection, Float, Numeric, Select, Update
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

from mill_common.database import Database

_PREPARING = PGDialect_psycopg2(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it so
_DRIVER = PGDialect_psycopg2()  # type: ignore[no-untyped-call]
_KEY = "mill_prepared"
_PLACE = r"\$(\d+)"
_row_of: Callable[[str, Sequence[str]], Any] = partial(namedtuple, rename=True)  # an expression may have no name
Processor = Callable[[Any], Any]


class Prepared:
    """A statement whose text never changes. `name` tells it from all others."""

    def __init__(self, name: str, statement: Select[Any] | Update) -> None:
        self.statement = statement
        self._name = f"mill_{name}"

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        """Execute it and return its rows; `values` are those of its bind parameters that have none yet."""
        if connection.dialect.name != "postgresql":
            return connection.execute(self.statement, values).all()
        known = connection.info.setdefault(_KEY, set())
        if self._name not in known:
            connection.exec_driver_sql(self._prepare)
            known.add(self._name)
        given = {name: process(values[name]) if process else values[name] for name, process in self._processors.items()}
        if connection.dispatch.before_cursor_execute:  # somebody wants to see every statement
            return [self._row(row) for row in connection.exec_driver_sql(self._execute, given)]
        return [self._row(row) for row in _fetch(connection, self._execute, given)]

    def first(self, connection: Connection, values: Mapping[str, Any]) -> Any | None:
        """The first of its rows, or None."""
        return next(iter(self.rows(connection, values)), None)

    def scalar(self, connection: Connection, values: Mapping[str, Any]) -> Any | None:
        """The first column of its first row, or None."""
        row = self.first(connection, values)
        return None if row is None else row[0]

    def alone(self, database: Database, values: Mapping[str, Any]) -> Any | None:
        """The first column of its first row, or None. The statement is a transaction by itself.

        For what is asked very often: on PostgreSQL one round trip, not three.
        """
        with database.look() as connection:
            return self.scalar(connection, values)

    @cached_property
    def _compiled(self) -> SQLCompiler:
        compiled = self.statement.compile(dialect=_PREPARING)
        assert isinstance(compiled, SQLCompiler)
        return compiled

    @cached_property
    def _given(self) -> dict[str, BindParameter[Any]]:
        binds = (self._compiled.binds[name] for name in self._compiled.positiontup or ())
        return {bind.key: bind for bind in binds if bind.required}

    @cached_property
    def _prepare(self) -> str:
        places = [self._compiled.binds[name] for name in self._compiled.positiontup or ()]
        given = list(self._given)

        def placed(match: re.Match[str]) -> str:
            bind = places[int(match[1]) - 1]
            return f"${given.index(bind.key) + 1}" if bind.required else _literal(bind)

        types = ", ".join(bind.type.compile(_PREPARING) for bind in self._given.values())
        return f"PREPARE {self._name}({types}) AS {re.sub(_PLACE, placed, str(self._compiled))}"

    @cached_property
    def _execute(self) -> str:
        return f"EXECUTE {self._name}({', '.join(f'%({name})s' for name in self._given)})"

    @cached_property
    def _processors(self) -> dict[str, Processor | None]:
        return {name: bind.type.dialect_impl(_DRIVER).bind_processor(_DRIVER) for name, bind in self._given.items()}

    @cached_property
    def _row(self) -> Callable[[Sequence[Any]], Any]:
        columns = list(self.statement.exported_columns)
        names = [str(column.key) for column in columns]
        row = _row_of("Row", names)._make
        makers = [(place, maker) for place, column in enumerate(columns) if (maker := _maker(column.type)) is not None]

        def make(raw: Sequence[Any]) -> Any:
            made = list(raw)
            for place, maker in makers:
                made[place] = maker(made[place])
            return row(made)

        return make


def _fetch(connection: Connection, statement: str, values: Mapping[str, Any]) -> Sequence[Any]:
    held = connection.connection
    cursor = held.cursor()
    try:
        cursor.execute(statement, values)
        return cursor.fetchall()
    except connection.dialect.loaded_dbapi.Error as error:
        gone = connection.dialect.is_disconnect(error, held, cursor)
        if gone:
            connection.invalidate(error)
        base = connection.dialect.loaded_dbapi.Error
        raise DBAPIError.instance(statement, None, error, base, connection_invalidated=gone) from error
    finally:
        cursor.close()


def _literal(bind: BindParameter[Any]) -> str:
    if bind.effective_value is None:
        return "NULL"
    process = bind.type.dialect_impl(_DRIVER).literal_processor(_DRIVER)
    assert process is not None, f"{bind.key} cannot be written as a literal"
    return process(bind.effective_value)


def _maker(kind: TypeEngine[Any]) -> Processor | None:
    # The driver has made numbers already, and SQLAlchemy would ask which kind of number the column holds.
    return None if isinstance(kind, Float | Numeric) else kind.dialect_impl(_DRIVER).result_processor(_DRIVER, None)
