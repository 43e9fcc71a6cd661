"""Statements that PostgreSQL parses and plans once a connection.

A claim is planned for three times as long as it runs. SQLite's driver keeps its statements prepared by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, CursorResult, Select, bindparam, column, text
from sqlalchemy.dialects.postgresql.base import PGDialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.selectable import TextualSelect

_DIALECT = PGDialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it so
_KEY = "mill_prepared"


class Prepared:
    """A statement whose text never changes. `name` tells it from all others."""

    def __init__(self, name: str, statement: Select[Any]) -> None:
        self.statement = statement
        self._name = f"mill_{name}"
        self._text: tuple[str, TextualSelect] | None = None

    def execute(self, connection: Connection, values: Mapping[str, Any]) -> CursorResult[Any]:
        """Execute it; `values` are those of its bind parameters that have none yet."""
        if connection.dialect.name != "postgresql":
            return connection.execute(self.statement, values)
        prepare, execute = self._text = self._text or self._compiled()
        known = connection.info.setdefault(_KEY, set())
        if self._name not in known:
            connection.exec_driver_sql(prepare)
            known.add(self._name)
        return connection.execute(execute, values)

    def _compiled(self) -> tuple[str, TextualSelect]:
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
        shown = [column(str(each.key), each.type) for each in self.statement.selected_columns]
        return f"PREPARE {self._name}({types}) AS {compiled}", execute.columns(*shown)
