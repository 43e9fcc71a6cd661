"""The utterances that training draws from: synthesised once, kept as log-mel spectra in shards."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from tools.speech_model import mel
from tools.speech_model.phrases import punctuate, stuttering_row
from tools.speech_model.synthesis import RATE_HZ, Speech, Synthesiser, Voice
from tools.speech_model.voices import training_variants, training_voice

_AUDIBLE = 0.01  # of the loudest sample
_DECADES_BELOW_PEAK = 2.7  # a quieter frame no longer belongs to a word
_LEAST_WORD = 4  # frames


@dataclass(frozen=True)
class Word:
    """A digit and where it is said, in frames of 10 ms."""

    digit: int
    start: int
    end: int

    def moved(self, frames: int) -> Word:
        """The same word, later."""
        return Word(self.digit, self.start + frames, self.end + frames)


@dataclass(frozen=True)
class Utterance:
    """What one voice said: base-10 logarithms of the power in each band, and the words in it."""

    logs: mel.Spectrum
    words: list[Word]


def utter(synthesiser: Synthesiser, rng: random.Random, variants: list[str]) -> Utterance | None:
    """Speak some digits with some voice; nothing if the synthesiser did not say them one by one."""
    digits = stuttering_row(rng)
    voice = Voice(
        training_voice(rng, variants),
        speed=rng.randint(110, 250),
        pitch=rng.randint(25, 75),
        melody=rng.randint(20, 80),
        gap=rng.choice((0, 0, 0, 0, 2, 5, 10, 20)),
    )
    speech = synthesiser.say(punctuate(digits, rng), voice)
    loudest = np.abs(speech.samples).max(initial=0.0)
    if len(speech.word_starts_s) < len(digits) or len(speech.samples) < RATE_HZ // 10 or loudest < 2 * _AUDIBLE:
        return None
    return _trim(speech, digits)


def _trim(speech: Speech, digits: Sequence[int]) -> Utterance | None:
    loud = np.flatnonzero(np.abs(speech.samples) > _AUDIBLE * np.abs(speech.samples).max())
    first, last = max(0, int(loud[0]) - 160), int(loud[-1]) + 320
    logs = mel.logarithm(mel.power(speech.samples[first:last]))
    # A comma can add a word event after the last word.
    starts = [round((start - first / RATE_HZ) * mel.FRAMES_PER_S) for start in speech.word_starts_s[: len(digits)]]
    borders = [*(max(0, start) for start in starts), len(logs)]
    if min(np.diff(borders)) < _LEAST_WORD:
        return None
    return Utterance(logs, _words(logs, digits, borders))


def _words(logs: mel.Spectrum, digits: Sequence[int], borders: Sequence[int]) -> list[Word]:
    loudness = mel.logarithm(np.sum(10.0**logs, axis=1, dtype=np.float32))
    audible = loudness > loudness.max() - _DECADES_BELOW_PEAK
    words = []
    for digit, start, limit in zip(digits, borders[:-1], borders[1:], strict=True):
        inside = np.flatnonzero(audible[start:limit])
        words.append(Word(digit, start, start + int(inside[-1]) + 1 if len(inside) else limit))
    return words


def synthesise(folder: Path, utterances: int, shards: int, seed: int, processes: int) -> list[Path]:
    """Write the shards that are missing, and name them all."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"utterances-{shard:02d}.npz" for shard in range(shards)]
    missing = [(path, utterances // shards, f"{seed}-{path.name}") for path in paths if not path.exists()]
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        for path in pool.map(_write_shard, *zip(*missing, strict=True)) if missing else []:
            print(f"synthesised {path.name}", flush=True)
    return paths


def _write_shard(path: Path, utterances: int, seed: str) -> Path:
    synthesiser, rng = Synthesiser(), random.Random(seed)
    variants = training_variants(synthesiser.variants())
    found: list[Utterance] = []
    while len(found) < utterances:
        utterance = utter(synthesiser, rng, variants)
        if utterance is not None:
            found.append(utterance)
    partial = path.with_suffix(".part.npz")
    np.savez(
        partial,
        logs=np.concatenate([one.logs for one in found]).astype(np.float16),
        lengths=np.array([len(one.logs) for one in found]),
        words=np.array([(number, w.digit, w.start, w.end) for number, one in enumerate(found) for w in one.words]),
    )
    return partial.rename(path)


class Corpus:
    """All utterances of some shards, shortest first."""

    def __init__(self, shards: Sequence[Path]) -> None:
        found = [utterance for shard in shards for utterance in _read_shard(shard)]
        self.utterances = sorted(found, key=lambda utterance: len(utterance.logs))
        self._lengths = np.array([len(utterance.logs) for utterance in self.utterances])

    def draw(self, rng: random.Random, longest: float) -> Utterance | None:
        """Any utterance of fewer than `longest` frames, if there is one."""
        fitting = int(np.searchsorted(self._lengths, longest))
        return self.utterances[rng.randrange(fitting)] if fitting else None


def _read_shard(path: Path) -> list[Utterance]:
    with np.load(path) as arrays:
        logs, lengths, rows = arrays["logs"], arrays["lengths"], arrays["words"]
    ends = np.cumsum(lengths)
    words: list[list[Word]] = [[] for _ in lengths]
    for number, digit, start, end in rows.tolist():
        words[number].append(Word(digit, start, end))
    return [Utterance(logs[end - size : end], said) for end, size, said in zip(ends, lengths, words, strict=True)]
