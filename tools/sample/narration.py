"""What the clip says, and when."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.speech_model.synthesis import RATE_HZ, Synthesiser, Voice

VOICE = Voice("en-gb-x-rp", speed=140, pitch=45)
PHRASES = (
    "one two three four five",
    "six seven eight nine zero",
    "three one four one five nine",
    "two seven one eight",
    "four two",
)
TEXT = " ".join(PHRASES)

_LEAD_S = 1.0
_PAUSE_S = 1.2
_LINGER_S = 0.6  # how long the last digit of a phrase stays on the picture


@dataclass(frozen=True)
class Shown:
    """A digit on the picture, in seconds from the start of the clip."""

    digit: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Narration:
    """Samples at 16 kHz, and what the picture shows meanwhile."""

    samples: NDArray[np.float32]
    shown: list[Shown]

    @property
    def duration_s(self) -> float:
        """The length of the clip."""
        return len(self.samples) / RATE_HZ


def narrate() -> Narration:
    """Speak all phrases with pauses between them."""
    synthesiser = Synthesiser()
    parts = [_silence(_LEAD_S)]
    shown: list[Shown] = []
    for phrase in PHRASES:
        begin_s = sum(map(len, parts)) / RATE_HZ
        speech = synthesiser.say(phrase, VOICE)
        words = phrase.split()
        starts_s = [begin_s + start for start in speech.word_starts_s[: len(words)]]
        ends_s = [*starts_s[1:], begin_s + len(speech.samples) / RATE_HZ + _LINGER_S]
        shown += [Shown(word, start, end) for word, start, end in zip(words, starts_s, ends_s, strict=True)]
        parts += [speech.samples, _silence(_PAUSE_S)]
    return Narration(np.concatenate(parts), shown)


def _silence(length_s: float) -> NDArray[np.float32]:
    return np.zeros(int(length_s * RATE_HZ), np.float32)
