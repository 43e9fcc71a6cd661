"""Edit distance keeps the laws of a distance and agrees with its definition."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.speech_model.word_errors import edits, error_rate

words = st.lists(st.sampled_from(["one", "two", "three"]), max_size=6)


def by_definition(left: list[str], right: list[str]) -> int:
    if not left or not right:
        return len(left) + len(right)
    replaced = by_definition(left[1:], right[1:]) + (left[0] != right[0])
    return min(replaced, by_definition(left[1:], right) + 1, by_definition(left, right[1:]) + 1)


@given(words, words)
def test_edits_are_the_fewest_that_the_definition_finds(left: list[str], right: list[str]) -> None:
    assert edits(left, right) == by_definition(left, right)


@given(words, words, words)
def test_edits_are_a_distance(left: list[str], middle: list[str], right: list[str]) -> None:
    assert (edits(left, right) == 0) == (left == right)
    assert edits(left, right) == edits(right, left)
    assert edits(left, right) <= edits(left, middle) + edits(middle, right)


@given(words.filter(bool), words)
def test_the_rate_counts_edits_per_word_said(said: list[str], heard: list[str]) -> None:
    assert error_rate([(heard, said), (said, said)]) == edits(heard, said) / (2 * len(said))


def test_a_rate_needs_words() -> None:
    with pytest.raises(ZeroDivisionError):
        error_rate([(["one"], [])])
