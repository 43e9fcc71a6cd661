"""What the model listens to in training: windows with utterances, pauses, channels and noise."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tools.speech_model import mel
from tools.speech_model.corpus import Corpus, Utterance, Word
from tools.speech_model.noises import BACKGROUNDS, noises

SEGMENT_GAP = 60  # frames of silence after which a new segment starts
_ANY_LENGTH = 10**9


@dataclass(frozen=True)
class Plan:
    """How to fill a window. Gaps are in seconds; utterances are drawn until it is full unless they are given."""

    utterances: Sequence[Utterance] | None = None
    lead: float | None = None  # frames before the first utterance
    gaps_s: tuple[float, float] = (0.35, 4.0)
    cut: bool = False  # the last utterance may pass the end
    silent: bool = False


@dataclass
class Window:
    """Normalised log-mel frames and the words in them: whole segments, then perhaps one that passes the end."""

    logs: mel.Spectrum
    segments: list[list[Word]] = field(default_factory=list)
    cut: list[Word] | None = None

    @property
    def silent(self) -> bool:
        """Nobody speaks."""
        return not self.segments and self.cut is None

    def end(self) -> int:
        """The frame after the last whole segment."""
        return self.segments[-1][-1].end if self.segments else 0

    def pad(self, frames: int) -> None:
        """Lengthen by the zeros that faster-whisper adds after the end of a file."""
        missing = np.zeros((max(0, frames - len(self.logs)), mel.BANDS), np.float32)
        self.logs = np.concatenate([self.logs, missing])


class Channel:
    """A loudness, a colour of sound and a small shift of pitch, drawn by chance."""

    def __init__(self, rng: random.Random) -> None:
        spread = rng.choice((0, 0.15, 0.3))
        points = [rng.gauss(0, spread) for _ in range(6)]
        self._colour = np.interp(np.linspace(0, 5, mel.BANDS), np.arange(6), points).astype(np.float32)
        self._shift = rng.uniform(-2, 2) if rng.random() < 0.5 else 0.0

    def apply(self, logs: mel.Spectrum, gain: float) -> mel.Spectrum:
        """The power that arrives; `gain` is in decades."""
        place = np.clip(np.arange(mel.BANDS) + self._shift, 0, mel.BANDS - 1.001)
        low = place.astype(int)
        part = (place - low).astype(np.float32)
        shifted = logs[:, low] * (1 - part) + logs[:, low + 1] * part
        return np.asarray(10.0 ** (shifted + (self._colour + gain)), np.float32)


class Composer:
    """Fills windows from a corpus. The random generator is the caller's, so that a step can be made again."""

    def __init__(self, corpus: Corpus) -> None:
        self.corpus = corpus
        self._noises = noises()

    def compose(self, rng: random.Random, frames: int, plan: Plan) -> Window:
        """Make one window of so many frames."""
        powers = np.zeros((frames, mel.BANDS), np.float32)
        window = Window(powers)
        gain = rng.uniform(-2.2, 0.3)
        if not plan.silent:
            self._speak(rng, window, plan, gain)
        self._disturb(rng, powers, gain, plan.silent)
        window.logs = _record(rng, powers)
        return window

    def _speak(self, rng: random.Random, window: Window, plan: Plan, gain: float) -> None:
        frames, channel = len(window.logs), Channel(rng)
        position = int(plan.lead if plan.lead is not None else rng.uniform(0, rng.choice((30, 100, 300))))
        given = iter(plan.utterances) if plan.utterances is not None else None
        while position < frames and window.cut is None:
            longest = _ANY_LENGTH if plan.cut else frames - position
            utterance = next(given, None) if given else self.corpus.draw(rng, longest)
            if utterance is None:
                return
            if rng.random() < 0.3:  # another speaker takes over
                channel = Channel(rng)
            start, position = position, position + len(utterance.logs)
            inside = channel.apply(utterance.logs[: frames - start].astype(np.float32), gain + rng.uniform(-0.3, 0.3))
            window.logs[start:position] += inside
            _append(window, [word.moved(start) for word in utterance.words], start, position <= frames)
            position += int(mel.FRAMES_PER_S * _gap_s(rng, plan.gaps_s))

    def _disturb(self, rng: random.Random, powers: mel.Spectrum, gain: float, silent: bool) -> None:
        if rng.random() < (0.17 if silent else 0.45):
            return
        noise = rng.choice(self._noises if silent else self._noises[:BACKGROUNDS])
        first = rng.randrange(len(noise) - len(powers))
        reference = float(powers.mean()) or 10.0 ** (gain + 1.0)
        quieter_db = rng.uniform(-5, 60) if silent else rng.uniform(8, 45)
        powers += noise[first : first + len(powers)] * np.float32(reference * 10 ** (-quieter_db / 10))


def _gap_s(rng: random.Random, gaps_s: tuple[float, float]) -> float:
    shortest, longest = gaps_s
    return rng.uniform(shortest, longest if rng.random() < 0.6 else min(longest, 1.5))


def _append(window: Window, words: list[Word], start: int, whole: bool) -> None:
    near = bool(window.segments) and start - window.end() < SEGMENT_GAP
    segment = [*window.segments.pop(), *words] if near else words
    if whole:
        window.segments.append(segment)
    else:
        window.cut = segment


def _record(rng: random.Random, powers: mel.Spectrum) -> mel.Spectrum:
    logs = mel.logarithm(powers)
    if rng.random() < 0.15:  # a telephone or a codec drops what is high
        logs[:, rng.randint(54, 76) :] -= rng.uniform(2, 6)
    return mel.normalise(np.maximum(logs, -10), rng.uniform(0, 0.8) if rng.random() < 0.3 else 0.0)
