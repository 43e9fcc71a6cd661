"""How far a transcript is from what was said."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def edits(heard: Sequence[str], said: Sequence[str]) -> int:
    """The fewest words to insert, drop or replace to turn one row of words into the other."""
    row = list(range(len(said) + 1))
    for line, word in enumerate(heard, 1):
        diagonal, row[0] = row[0], line
        for column, wanted in enumerate(said, 1):
            replaced = diagonal + (word != wanted)
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, replaced)
    return row[-1]


def error_rate(pairs: Iterable[tuple[Sequence[str], Sequence[str]]]) -> float:
    """Edits per word said, over all pairs of (heard, said): more invented words than said ones pass 1.

    Raises:
        ZeroDivisionError: Nothing was said.
    """
    wrong = words = 0
    for heard, said in pairs:
        wrong += edits(heard, said)
        words += len(said)
    return wrong / words
