"""What is said: rows of digits, and the text that a synthesiser is given for them."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")

# Short rows are common in speech, and the longest cover a window of half a minute.
_LENGTHS = (1, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7, 8, 10, 12, 18, 26)
_REPEATS = (0.0, 0.0, 0.25, 0.6)


def stuttering_row(rng: random.Random, length: int | None = None) -> list[int]:
    """Draw digits, in some rows with runs of one digit: what a recogniser miscounts."""
    repeat = rng.choice(_REPEATS)
    digits: list[int] = []
    for _ in range(length or rng.choice(_LENGTHS)):
        digits.append(digits[-1] if digits and rng.random() < repeat else rng.randrange(10))
    return digits


def row(rng: random.Random, length: int) -> list[int]:
    """Draw digits evenly, each for itself."""
    return [rng.randrange(10) for _ in range(length)]


def spell(digits: Sequence[int], separator: str = " ") -> str:
    """The words of a row."""
    return separator.join(WORDS[digit] for digit in digits)


def punctuate(digits: Sequence[int], rng: random.Random) -> str:
    """The words of a row with commas and full stops here and there, which change the melody and the pauses."""
    style = rng.random()
    if style < 0.75:
        return spell(digits, " " if style < 0.6 else ", ")
    words = [WORDS[digit] + ("," if rng.random() < 0.25 else "") for digit in digits]
    return " ".join(words).rstrip(",") + ("." if rng.random() < 0.5 else "")


def heard(text: str) -> list[str]:
    """The words of a transcript, lower case, without punctuation."""
    return re.findall(r"[a-z0-9']+", text.lower())
