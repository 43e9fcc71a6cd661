"""Lengths of time, reckoned by the database."""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import BigInteger, Float, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import FunctionElement

from mill_common.histogram import GROWTH, LAST, SMALLEST_MS


class seconds_between(FunctionElement[float]):  # noqa: N801 - stands where an SQL function does
    """The seconds from the first time to the second; null if one of them is."""

    type = Float()
    inherit_cache = True
    name = "seconds_between"


@compiles(seconds_between, "postgresql")
def _on_postgres(element: seconds_between, compiler: SQLCompiler, **kw: Any) -> str:
    first, second = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"CAST(extract(epoch FROM ({second} - {first})) AS double precision)"


@compiles(seconds_between, "sqlite")
def _on_sqlite(element: seconds_between, compiler: SQLCompiler, **kw: Any) -> str:
    first, second = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"((julianday({second}) - julianday({first})) * 86400.0)"


class step_of(FunctionElement[int]):  # noqa: N801 - stands where an SQL function does
    """How many whole steps of so many seconds lie between 1970 and a time."""

    type = BigInteger()
    inherit_cache = True
    name = "step_of"


@compiles(step_of, "postgresql")
def _step_on_postgres(element: step_of, compiler: SQLCompiler, **kw: Any) -> str:
    at, step_s = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"CAST(floor(extract(epoch FROM {at}) / {step_s}) AS bigint)"


@compiles(step_of, "sqlite")
def _step_on_sqlite(element: step_of, compiler: SQLCompiler, **kw: Any) -> str:
    at, step_s = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(CAST(strftime('%s', {at}) AS INTEGER) / {step_s})"


class duration_bucket(FunctionElement[int]):  # noqa: N801 - stands where an SQL function does
    """The bucket of so many seconds: `mill_common.histogram.bucket_of`."""

    type = Integer()
    inherit_cache = True
    name = "duration_bucket"  # on SQLite a function of each connection


@compiles(duration_bucket, "postgresql")
def _bucket_on_postgres(element: duration_bucket, compiler: SQLCompiler, **kw: Any) -> str:
    times = f"greatest({compiler.process(element.clauses, **kw)} * {1000 / SMALLEST_MS}, 1.0)"
    return f"least({LAST}, CAST(ceil(ln({times}) / {math.log(GROWTH)!r}) AS integer))"


@compiles(duration_bucket, "sqlite")
def _bucket_on_sqlite(element: duration_bucket, compiler: SQLCompiler, **kw: Any) -> str:
    return f"duration_bucket({compiler.process(element.clauses, **kw)})"
