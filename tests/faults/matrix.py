"""`python tests/faults/matrix.py`: renders the table of docs/faults.md from what the last run of the suite measured."""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MEASURED = ROOT / ".pytest_cache" / "v" / "faults" / "measured"
PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end -->\n"
HEAD = "| fault | what is promised | test in `tests/faults/` | recovery, s |\n|---|---|---|---|\n"


def table(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """One row a test; the runs of one with several parameters share it."""
    rows: dict[tuple[str, str, str, str], list[str]] = defaultdict(list)
    for name, row in measured.items():
        test, _, parameter = name.partition("[")
        seconds = "–" if row["seconds"] is None else f"{row['seconds']:.1f}"
        key = (row["file"], test, row["fault"], row["promise"])
        rows[key].append(f"{parameter.rstrip(']')}: {seconds}" if parameter else seconds)
    return HEAD + "".join(_row(*key, seconds) for key, seconds in sorted(rows.items()))


def _row(file: str, test: str, fault: str, promise: str, seconds: Iterable[str]) -> str:
    return f"| {fault} | {promise} | `{file}` `{test}` | {', '.join(sorted(seconds))} |\n"


def main() -> None:
    """Put the table in its place."""
    if not MEASURED.exists():
        sys.exit("nothing was measured yet: run scripts/test --faults")
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(before + BEGIN + table(json.loads(MEASURED.read_text())) + END + after)


if __name__ == "__main__":
    main()
