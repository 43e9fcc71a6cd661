"""Each requirement on the client's side has tests that name it, so that none goes missing unnoticed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
ROWS = [*(f"J{number}" for number in range(1, 18)), "Q1", "Q7"]


def named() -> dict[str, list[str]]:
    """The tests that name each row, in their own docstring or in their module's."""
    found: dict[str, list[str]] = {row: [] for row in ROWS}
    for path in TESTS.rglob("test_*.py"):
        module = ast.parse(path.read_text())
        functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
        tests = [node for node in functions if node.name.startswith("test_")]
        for test in tests:
            said = f"{ast.get_docstring(module)} {ast.get_docstring(test)}"
            for row in re.findall(r"\b[JQ]\d+\b", said):
                found.setdefault(row, []).append(f"{path.name}::{test.name}")
    return found


@pytest.mark.parametrize("row", ROWS)
def test_a_requirement_is_named_by_a_test(row: str) -> None:
    assert named()[row], f"no test names {row}"
