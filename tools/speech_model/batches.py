"""Batches of training examples: every step's can be made on its own, so an interrupted training goes on unchanged."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.speech_model import mel
from tools.speech_model.corpus import Corpus
from tools.speech_model.labels import IGNORE, NOWHERE, Labels, Writer
from tools.speech_model.recipe import FULL_WINDOW, Phase, Step
from tools.speech_model.tokenizer import Tokens
from tools.speech_model.windows import Composer, Plan, Window


@dataclass(frozen=True)
class Batch:
    """Arrays for one step, one row per window."""

    logs: NDArray[np.float32]  # bands × frames of 10 ms
    frame_words: NDArray[np.int64]  # per encoder frame: 0, or 1 + the digit said in it
    inputs: NDArray[np.int64]
    targets: NDArray[np.int64]
    spans: NDArray[np.float32]
    offsets: NDArray[np.int64]


@dataclass(frozen=True)
class _Example:
    logs: mel.Spectrum
    frame_words: NDArray[np.int64]
    labels: Labels
    offset: int


class Batches:
    """The batches of a training, by step."""

    def __init__(self, shards: Sequence[Path], tokens: Tokens, steps: Sequence[Step], seed: int) -> None:
        self._composer = Composer(Corpus(shards))
        self._writer = Writer(tokens)
        self._end, self._steps, self._seed = tokens.end, steps, seed

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, index: int) -> Batch:
        """Make the batch of a step."""
        step, rng = self._steps[index], random.Random(f"{self._seed}-{index}")
        return self._stack([self._example(rng, step) for _ in range(step.windows)])

    def _example(self, rng: random.Random, step: Step) -> _Example:
        frames, offset = 2 * step.frames, 0
        if step.phase is Phase.SHORT or (step.phase is Phase.MIDDLE and rng.random() < 0.6):
            offset = rng.randint(0, FULL_WINDOW - step.frames)
        window = _DRAW[step.phase](self._composer, rng, frames)
        labels = self._writer.write(rng, window, offset, first_limited=offset == 0 and step.phase is not Phase.SHORT)
        window.pad(frames)
        return _Example(window.logs, _frame_words(window, step.frames), labels, offset)

    def _stack(self, examples: Sequence[_Example]) -> Batch:
        length = max(len(example.labels.inputs) for example in examples)
        return Batch(
            logs=np.stack([example.logs.T for example in examples]),
            frame_words=np.stack([example.frame_words for example in examples]),
            inputs=np.array([_fill(example.labels.inputs, length, self._end) for example in examples]),
            targets=np.array([_fill(example.labels.targets, length, IGNORE) for example in examples]),
            spans=np.array([_fill(example.labels.spans, length, NOWHERE) for example in examples], np.float32),
            offsets=np.array([example.offset for example in examples]),
        )


def _fill(row: list[Any], length: int, filler: object) -> list[Any]:
    return row + [filler] * (length - len(row))


def _frame_words(window: Window, frames: int) -> NDArray[np.int64]:
    row = np.zeros(frames, np.int64)
    for segment in [*window.segments, *([window.cut] if window.cut else [])]:
        for word in segment:
            row[word.start // 2 : max(word.end // 2, word.start // 2 + 1)] = word.digit + 1
    return row


def _short(composer: Composer, rng: random.Random, frames: int) -> Window:
    if rng.random() < 0.05:
        return composer.compose(rng, frames, Plan(silent=True))
    utterance = composer.corpus.draw(rng, frames - 10)
    assert utterance is not None, "no utterance is shorter than the shortest window"
    slack = frames - 10 - len(utterance.logs)
    alone = Plan(utterances=[utterance], lead=rng.uniform(0, slack))
    window = composer.compose(rng, frames, alone if rng.random() < 0.6 else Plan(lead=rng.uniform(0, min(slack, 60))))
    if rng.random() < 0.4:
        _end_early(window, rng.randint(4, 40))
    return window


def _middle(composer: Composer, rng: random.Random, frames: int) -> Window:
    silent = rng.random() < 0.06
    gaps_s = rng.choice(((0.35, 2.5), (0.12, 0.9), (0.62, 1.5)))
    window = composer.compose(rng, frames, Plan(silent=silent, gaps_s=gaps_s))
    if rng.random() < 0.5:
        _end_early(window, rng.randint(4, 60))
    return window


def _full(composer: Composer, rng: random.Random, frames: int) -> Window:
    kind = rng.random()
    if kind < 0.45:
        return _short_file(composer, rng, frames)
    if kind > 0.88:
        length = frames if rng.random() < 0.5 else rng.randint(30, frames)
        return composer.compose(rng, length, Plan(silent=True))
    length = frames if rng.random() < 0.75 else rng.randint(1200, frames)
    gaps_s = rng.choice(((0.35, 4.0), (0.15, 1.2), (0.62, 2.0), (0.8, 8.0)))
    return composer.compose(rng, length, Plan(gaps_s=gaps_s, cut=length == frames))


def _short_file(composer: Composer, rng: random.Random, frames: int) -> Window:
    count = rng.choice((1, 1, 1, 2, 2, 3, 4))
    drawn = [utterance for _ in range(count) if (utterance := composer.corpus.draw(rng, 1200))]
    length = sum(len(utterance.logs) for utterance in drawn) + count * rng.choice((20, 60, 150, 400))
    gaps_s = (0.2, 1.5) if rng.random() < 0.3 else (0.65, 2.0)
    return composer.compose(rng, min(frames, length), Plan(utterances=drawn, gaps_s=gaps_s))


def _end_early(window: Window, after: int) -> None:
    """Let the file end so many frames after the last word."""
    if window.segments:
        window.logs[window.end() + after :] = 0


_DRAW = {Phase.SHORT: _short, Phase.MIDDLE: _middle, Phase.FULL: _full}
