"""CSV that a spreadsheet may open: no cell of it is taken for a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_line(cells: Iterable[object]) -> str:
    """One line, with its end. None is an empty cell."""
    line = io.StringIO()
    csv.writer(line).writerow([cell_of(cell) for cell in cells])
    return line.getvalue()


def cell_of(value: object) -> object:
    """A value as a cell: text that a spreadsheet would calculate gets a quotation mark in front.

    Source: OWASP, "CSV Injection".
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
