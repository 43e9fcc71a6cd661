"""The numbers of a training: how much speech, how large a network, how many steps."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from enum import StrEnum

FULL_WINDOW = 1500  # encoder frames of 20 ms: half a minute


class Phase(StrEnum):
    """Windows grow: a model this small learns nothing from long ones at first."""

    SHORT = "short"
    MIDDLE = "middle"
    FULL = "full"


@dataclass(frozen=True)
class Step:
    """One step: how many windows of how many encoder frames, at which learning rate."""

    phase: Phase
    windows: int
    frames: int
    rate: float


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out."""

    utterances: int = 12_000
    shards: int = 2
    width: int = 96
    encoder_layers: int = 3
    decoder_layers: int = 3
    encoder_heads: int = 4
    decoder_heads: int = 2
    short_steps: int = 1500
    middle_steps: int = 1200
    full_steps: int = 600
    rate: float = 2e-3
    full_rate: float = 1e-3
    seed: int = 0
    most_errors: float | None = 0.05  # the word error rate at which the made model is refused

    def steps(self) -> list[Step]:
        """The whole schedule."""
        rng = random.Random(self.seed)
        short = [self._short(index, rng.choice((120, 160, 220, 300))) for index in range(self.short_steps)]
        middle = [self._middle(index, rng.choice((300, 450, 600, 750))) for index in range(self.middle_steps)]
        return short + middle + [self._full(index) for index in range(self.full_steps)]

    def _short(self, index: int, frames: int) -> Step:
        return Step(Phase.SHORT, 6400 // frames, frames, self.rate * min(1, (index + 1) / 100))

    def _middle(self, index: int, frames: int) -> Step:
        fade = 1 - 0.4 * index / self.middle_steps
        return Step(Phase.MIDDLE, 8000 // frames, frames, 0.8 * self.rate * min(1, (index + 1) / 50) * fade)

    def _full(self, index: int) -> Step:
        fade = 0.02 + 0.49 * (1 + math.cos(math.pi * index / self.full_steps))
        return Step(Phase.FULL, 8, FULL_WINDOW, self.full_rate * min(1, (index + 1) / 50) * fade)


FULL = Recipe()
# Runs through every stage in a minute or two, and learns next to nothing.
SMOKE = Recipe(utterances=200, short_steps=20, middle_steps=4, full_steps=2, most_errors=None)
