"""docs/faults.md has a row for every fault test, and none for any other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r"^\| (?P<fault>.+?) \| (?P<promise>.+?) \| `(?P<file>\w+\.py)` `(?P<test>\w+)` \| (?P<seconds>.+?) \|$"
)


def test_the_matrix_has_a_row_for_every_fault_test() -> None:
    published = [match.groupdict() for line in _page() if (match := ROW.fullmatch(line))]
    rows = {(row["fault"], row["promise"], row["file"], row["test"]) for row in published}
    assert len(published) == len(rows)
    assert rows == set(_tests())


def _page() -> list[str]:
    return (ROOT / "docs" / "faults.md").read_text().splitlines()


def _tests() -> Iterator[tuple[str, str, str, str]]:
    for path in sorted((ROOT / "tests" / "faults").glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                fault, promise = _marked(node)
                yield fault, promise, path.name, node.name


def _marked(test: ast.FunctionDef) -> tuple[str, str]:
    for mark in test.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
            fault, promise = (ast.literal_eval(argument) for argument in mark.args)
            return fault, promise
    raise AssertionError(f"{test.name} is not marked as a fault")
