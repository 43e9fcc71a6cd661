"""A step's batch can be made again, which is what lets a training resume."""

from __future__ import annotations

import random
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from tools.speech_model.batches import Batches
from tools.speech_model.recipe import FULL_WINDOW, Phase, Recipe, Step
from tools.speech_model.tokenizer import Tokens, build

from . import corpora

STEPS = [Step(Phase.SHORT, 4, 200, 0.1), Step(Phase.MIDDLE, 2, 400, 0.1), Step(Phase.FULL, 2, FULL_WINDOW, 0.1)]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    rng = random.Random(9)
    rows = [[rng.randrange(10) for _ in range(1 + index % 7)] for index in range(40)]
    return [corpora.write(tmp_path_factory.mktemp("corpus") / "shard.npz", rows)]


def test_a_batch_is_the_same_when_made_again_and_another_at_another_step(shards: list[Path]) -> None:
    steps = [STEPS[0], *STEPS]
    one, other = (Batches(shards, Tokens.of(build()), steps, seed=4) for _ in range(2))
    for index in range(len(steps)):
        assert all(np.array_equal(*pair) for pair in zip(astuple(one[index]), astuple(other[index]), strict=True))
    assert not np.array_equal(one[0].logs, one[1].logs)


def test_a_batch_has_the_frames_of_its_step(shards: list[Path]) -> None:
    batches = Batches(shards, Tokens.of(build()), STEPS, seed=4)
    for index, step in enumerate(STEPS):
        batch = batches[index]
        assert batch.logs.shape == (step.windows, 80, 2 * step.frames)
        assert batch.frame_words.shape == (step.windows, step.frames)
        assert batch.inputs.shape == batch.targets.shape == batch.spans.shape[:2]
        assert (batch.offsets + step.frames <= FULL_WINDOW).all()


def test_phases_follow_one_another_and_the_rate_ends_low() -> None:
    steps = Recipe(short_steps=200, middle_steps=100, full_steps=100).steps()
    assert [step.phase for step in steps] == [Phase.SHORT] * 200 + [Phase.MIDDLE] * 100 + [Phase.FULL] * 100
    assert steps[-1].rate < 0.05 * max(step.rate for step in steps)
