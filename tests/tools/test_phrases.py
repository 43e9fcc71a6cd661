"""Rows of digits are spelt so that they can be read back, and training keeps away from held-out voices."""

from __future__ import annotations

import random
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tools.speech_model.phrases import WORDS, heard, punctuate, row, spell, stuttering_row
from tools.speech_model.voices import HELD_OUT_ACCENT, HELD_OUT_VARIANTS, training_variants, training_voice

digits = st.lists(st.integers(0, 9), min_size=1, max_size=12)


@given(digits, st.randoms(use_true_random=False))
def test_punctuation_changes_no_word(said: list[int], rng: random.Random) -> None:
    assert heard(punctuate(said, rng)) == [WORDS[digit] for digit in said] == heard(spell(said, ", "))


def test_only_stuttering_rows_repeat_a_digit_more_often_than_chance() -> None:
    rng = random.Random(3)
    even = [row(rng, 12) for _ in range(400)]
    stuttering = [stuttering_row(rng, 12) for _ in range(400)]
    assert 0.07 < repeats(even) < 0.13
    assert repeats(stuttering) > 0.2


def repeats(rows: list[list[int]]) -> float:
    """The share of digits that equal the one before."""
    pairs = [(before, after) for said in rows for before, after in pairwise(said)]
    return sum(before == after for before, after in pairs) / len(pairs)


def test_training_draws_no_held_out_voice() -> None:
    variants = training_variants(["f1", "whisper", *HELD_OUT_VARIANTS, "klatt"])
    assert variants == ["f1", "klatt"]
    rng = random.Random(5)
    drawn = {training_voice(rng, variants) for _ in range(500)}
    assert {voice.partition("+")[2] for voice in drawn} == {"", "f1", "klatt"}
    assert HELD_OUT_ACCENT not in {voice.partition("+")[0] for voice in drawn}
