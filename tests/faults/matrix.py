"""`python tests/faults/matrix.py`: renders the table of docs/faults.md from what the last run of the suite measured."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ROOT / ".pytest_cache" / "v" / "faults" / "recovery"  # see recovery.py
PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end -->\n"
HEAD = "| fault | what is promised | test in `tests/faults/` | recovery, s |\n|---|---|---|---|\n"


def table(measured: Iterable[Mapping[str, Any]]) -> str:
    """One row a test; the runs of one with several parameters share it."""
    rows: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for row in measured:
        test, _, parameter = row["test"].partition("[")
        seconds = "–" if row["seconds"] is None else f"{row['seconds']:.1f}"
        key = (row["file"], test, row["fault"], row["promise"])
        rows[key].append(f"{parameter.rstrip(']')}: {seconds}" if parameter else seconds)
    return HEAD + "".join(_row(*key, seconds) for key, seconds in sorted(rows.items()))


def _row(file: str, test: str, fault: str, promise: str, seconds: Iterable[str]) -> str:
    return f"| {fault} | {promise} | `{file}` `{test}` | {', '.join(sorted(seconds))} |\n"


def _measured() -> list[dict[str, Any]]:
    """What was measured last of each test that there still is."""
    rows: list[dict[str, Any]] = [json.loads(path.read_text()) for path in MEASURED.glob("*/*")]
    return [row for row in rows if _is_there(**row)]


def _is_there(file: str, test: str, fault: str, promise: str, **_: Any) -> bool:
    path = Path(__file__).with_name(file)
    words = path.read_text() if path.exists() else ""
    return f"def {test.partition('[')[0]}(" in words and f'"{fault}"' in words and f'"{promise}"' in words


def main() -> None:
    """Put the table in its place."""
    measured = _measured()
    if not measured:
        sys.exit("nothing was measured yet: run scripts/test --faults")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + table(measured) + END + after)


if __name__ == "__main__":
    main()
