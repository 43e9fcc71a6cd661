"""Lines of the screen: cells of fixed widths, none wider than the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from ..output import plain


@dataclass(frozen=True)
class Line:
    """Cells and how they look. A title has no style of its own."""

    cells: Sequence[str]
    style: str = ""


def fit(cells: Sequence[str], widths: Sequence[int], total: int) -> str:
    """Cells side by side, cut or filled up to their widths; one width is 0: what is left. Negative is to the right."""
    fixed = sum(abs(width) for width in widths) + len(widths) - 1
    rest = max(8, total - fixed)
    shown = [_cell(plain(cell), width or rest) for cell, width in zip(cells, widths, strict=True)]
    return set_cell_size(" ".join(shown), total)


def _cell(text: str, width: int) -> str:
    if width > 0 or cell_len(text) >= -width:
        return set_cell_size(text, abs(width))
    return " " * (-width - cell_len(text)) + text


def spread(left: str, right: str, total: int) -> str:
    """One text at each end of a line; the right one stays."""
    room = max(0, total - cell_len(right) - 1)
    return set_cell_size(f"{set_cell_size(left, room)} {right}", total)


def allot(wants: Sequence[int], room: int) -> list[int]:
    """How many lines each gets who wants some: in turn, so that nobody's many leave another none."""
    given = [0] * len(wants)
    while room > 0 and given != list(wants):
        for place, want in enumerate(wants):
            if given[place] < want and room > 0:
                given[place] += 1
                room -= 1
    return given


def window(count: int, shown: int, chosen: int | None) -> range:
    """Which of `count` lines are shown, with the chosen one among them."""
    start = 0 if chosen is None else max(0, min(chosen - shown // 2, count - shown))
    return range(start, min(count, start + shown))


def drawn(lines: Sequence[Text]) -> Text:
    """Lines as one text that is never wrapped."""
    return Text("\n", no_wrap=True, overflow="crop").join(lines)
