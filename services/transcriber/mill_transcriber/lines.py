"""Text measured and broken into lines."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

LINE_WIDTH = 42
_DROPPED = ("Cc", "Cs", "Zl", "Zp")  # control characters, lone surrogates, line separators
_BREAK_AFTER = ".!?…,;:—。！？，、；：｡､"


def clean(text: str) -> str:
    """Text without line breaks, control characters and surplus spaces."""
    spaced = " ".join(text.split())
    return "".join(char for char in spaced if unicodedata.category(char) not in _DROPPED).strip()


def is_wide(char: str) -> bool:
    """Whether a character takes two cells, as Chinese, Japanese and Korean ones do."""
    return bool(char) and unicodedata.east_asian_width(char) in ("W", "F")


def width(text: str) -> int:
    """Cells that a line takes, wide characters counted twice."""
    return len(text) if text.isascii() else sum(2 if is_wide(char) else 1 for char in text)


def hard_split(text: str) -> list[str]:
    """A word in parts that fit a line each. A mark stays with the letter it stands on."""
    parts = []
    while width(text) > LINE_WIDTH:
        end = _prefix(text)
        parts.append(text[:end])
        text = text[end:]
    return [*parts, text]


def _prefix(text: str) -> int:
    """How many characters fit a line."""
    end = used = 0
    while used + width(text[end]) <= LINE_WIDTH:
        used += width(text[end])
        end += 1
    while end > 1 and unicodedata.combining(text[end]):
        end -= 1
    return end


def break_lines(words: Sequence[str]) -> tuple[str, ...] | None:
    """Words on one line, or balanced on two; None if they need more.

    A word carries the space before it, so words of a language without spaces join as they are.
    """
    whole = "".join(words).strip()
    if width(whole) <= LINE_WIDTH:
        return (whole,)
    count = _balance([width(word.strip()) for word in words], words)
    if count is None:
        return None
    return "".join(words[:count]).strip(), "".join(words[count:]).strip()


def _balance(widths: Sequence[int], words: Sequence[str]) -> int | None:
    """After how many words the upper line ends, or None if two lines are too few."""
    spaces = [word.startswith(" ") for word in words]
    total = sum(widths) + sum(spaces[1:])
    best: int | None = None
    best_cost = upper = 0
    for count in range(1, len(words)):
        upper += widths[count - 1] + (spaces[count - 1] if count > 1 else 0)
        lower = total - upper - spaces[count]
        if max(upper, lower) > LINE_WIDTH:
            continue
        # A clause's end is worth ten cells of unevenness.
        cost = abs(upper - lower) - (10 if words[count - 1][-1] in _BREAK_AFTER else 0)
        if best is None or cost < best_cost:
            best, best_cost = count, cost
    return best
