"""Labels say what a window holds, at the times at which it does."""

from __future__ import annotations

import random

import numpy as np
import pytest

from tools.speech_model.corpus import Word
from tools.speech_model.labels import IGNORE, Labels, Writer
from tools.speech_model.mel import logarithm
from tools.speech_model.tokenizer import Tokens, build
from tools.speech_model.windows import Window

TOKENS = Tokens.of(build())
SPOKEN = [[Word(3, 20, 50), Word(1, 60, 85)], [Word(4, 200, 240)]]
FRAMES = 600


def window(segments: list[list[Word]], cut: list[Word] | None = None) -> Window:
    return Window(logarithm(np.zeros((FRAMES, 80), np.float32)), segments, cut)


def texts(shown: Window, offset: int = 0) -> list[list[int]]:
    """The distinct texts learnt for a window over many draws."""
    found = set()
    for seed in range(60):
        labels = Writer(TOKENS).write(random.Random(seed), shown, offset, first_limited=False)
        found.add(tuple(learnt(labels)))
    return [list(text) for text in sorted(found)]


def learnt(labels: Labels) -> list[int]:
    return [target for target in labels.targets if target != IGNORE]


def stamp(seconds: float) -> int:
    return TOKENS.zero_s + round(seconds / 0.02)


def digit(value: int) -> int:
    return TOKENS.words[value]


def test_speech_is_written_with_times_and_without() -> None:
    plain = [digit(3), digit(1), digit(4), TOKENS.end]
    timed = [stamp(0.2), digit(3), digit(1), stamp(0.9), stamp(2.0), digit(4), stamp(2.4), TOKENS.end]
    assert texts(window(SPOKEN)) == sorted([plain, timed])


def test_times_count_from_the_start_of_the_half_minute() -> None:
    timed = max(texts(window(SPOKEN), offset=500), key=len)
    assert timed[0] == stamp(10.2)
    assert timed[-2] == stamp(12.4)


def test_a_segment_that_passes_the_end_is_left_to_the_next_window() -> None:
    timed = max(texts(window(SPOKEN, cut=[Word(5, 560, 620)])), key=len)
    assert timed[-3:] == [stamp(2.4), stamp(5.6), TOKENS.end]
    assert digit(5) not in timed


def test_silence_is_nobody_and_then_the_end() -> None:
    assert texts(window([])) == sorted([[TOKENS.nobody, TOKENS.blank, TOKENS.end], [TOKENS.nobody, TOKENS.end]])


@pytest.mark.parametrize("seed", range(20))
def test_each_learnt_token_is_the_next_input(seed: int) -> None:
    labels = Writer(TOKENS).write(random.Random(seed), window(SPOKEN), 0, first_limited=True)
    assert len(labels.inputs) == len(labels.targets) == len(labels.spans)
    following = [*labels.inputs[1:], TOKENS.end]
    assert all(target in (IGNORE, token) for target, token in zip(labels.targets, following, strict=True))


def test_each_digit_is_looked_for_where_it_is_said() -> None:
    labels = Writer(TOKENS).write(random.Random(0), window(SPOKEN), 0, first_limited=False)
    looks = [span[:2] for span, target in zip(labels.spans, labels.targets, strict=True) if target in TOKENS.words]
    assert looks == [(10.0, 25.0), (30.0, 42.5), (100.0, 120.0)]
