"""A composed window holds its words where it says that they are."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from tools.speech_model.corpus import Corpus
from tools.speech_model.windows import SEGMENT_GAP, Composer, Plan

from . import corpora


@pytest.fixture(scope="module")
def composer(tmp_path_factory: pytest.TempPathFactory) -> Composer:
    rng = random.Random(9)
    # The tones of higher digits lie where a telephone's channel drops sound.
    rows = [[rng.randrange(6) for _ in range(1 + index % 7)] for index in range(40)]
    return Composer(Corpus([corpora.write(tmp_path_factory.mktemp("corpus") / "shard.npz", rows)]))


@pytest.mark.parametrize("seed", range(12))
def test_each_word_is_the_loudest_sound_where_it_is_said(composer: Composer, seed: int) -> None:
    window = composer.compose(random.Random(seed), 3000, Plan(cut=True))
    words = [word for segment in window.segments for word in segment]
    assert words
    found = [corpora.read(window.logs[(word.start + word.end) // 2]) for word in words]
    assert found == [word.digit for word in words]


@pytest.mark.parametrize("seed", range(12))
def test_only_a_cut_segment_passes_the_end_and_pauses_part_segments(composer: Composer, seed: int) -> None:
    window = composer.compose(random.Random(seed), 1000, Plan(cut=True))
    assert window.end() <= 1000
    assert window.cut is None or window.cut[-1].end + corpora.PAUSE > 1000
    for before, after in pairwise(window.segments):
        assert after[0].start - before[-1].end >= SEGMENT_GAP


def test_nobody_speaks_in_a_silent_window(composer: Composer) -> None:
    window = composer.compose(random.Random(1), 500, Plan(silent=True))
    assert window.silent
    assert not [frame for frame in window.logs[::20] if frame.max() - frame.min() > 1.5]


def test_padding_adds_the_zeros_of_a_file_that_ends(composer: Composer) -> None:
    window = composer.compose(random.Random(1), 300, Plan())
    window.pad(400)
    assert window.logs.shape == (400, 80)
    assert not window.logs[300:].any()
