"""What is printed, and where: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from threading import Lock
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..models import Model

_WRITING = Lock()


def console() -> Console:
    """Standard output, for people. Made anew so that it sees the stream of the moment."""
    return Console(highlight=False, soft_wrap=True)


def messages() -> Console:
    """Standard error, for people."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(message: str) -> None:
    """Tell the person something that is no result."""
    messages().print(Text(plain(message)))


def complain(message: str) -> None:
    """Tell the person what went wrong."""
    messages().print(Text("error: ", "bold red") + Text(plain(message)))


def json_line(answer: BaseModel | Mapping[str, object]) -> None:
    """Print one line of NDJSON, at once and in one piece."""
    fields = answer.model_dump(mode="json") if isinstance(answer, BaseModel) else answer
    text = json.dumps(fields, ensure_ascii=False)
    out_line(text.encode(errors="backslashreplace").decode())  # of a file name that is no text, JSON's own escapes


def out_line(text: str) -> None:
    """Print one line that is a result, at once and in one piece."""
    with _WRITING:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def json_or_table(
    found: Iterable[Model], columns: Sequence[str], row: Callable[[Any], Sequence[object]], *, as_json: bool
) -> None:
    """Print answers as NDJSON as they come, or as a table of what `row` makes of each."""
    if as_json:
        for answer in found:
            json_line(answer)
        return
    table(columns, [["-" if cell is None else str(cell) for cell in row(answer)] for answer in found])


def sentence(error: Exception) -> str:
    """An error in a line."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on a terminal, and tab-separated lines into a pipe."""
    out = console()
    if not out.is_terminal:
        for row in [columns, *rows]:
            sys.stdout.write("\t".join(plain(cell) for cell in row) + "\n")
        return
    drawn = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*(Text(plain(cell)) for cell in row))
    out.print(drawn)


def plain(text: str) -> str:
    """Text with its control characters made visible, so that no name from afar commands the terminal."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def size(count: int | None) -> str:
    """Bytes for a person."""
    if count is None:
        return "-"
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.2f} GiB"


def duration(seconds: float | None) -> str:
    """Seconds for a person, as 1:02:03 or 2:03."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def moment(when: datetime | None) -> str:
    """A time for a person, in this machine's zone."""
    return when.astimezone().strftime("%Y-%m-%d %H:%M:%S") if when else "-"
