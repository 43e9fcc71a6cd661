"""Where somebody speaks in a sound file, found window by window, so memory stays flat."""

from __future__ import annotations

import wave
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper.vad import VadOptions, get_speech_timestamps

RATE = 16_000
WINDOW_S = 120
CHUNK_S = 30  # what the model hears at once
Samples = np.ndarray[Any, np.dtype[np.float32]]

# The batched pipeline's own choice.
_VAD = VadOptions(max_speech_duration_s=CHUNK_S, min_silence_duration_ms=160)


class NotSpeech(ValueError):
    """The file is not 16-bit mono sound at 16 kHz."""


@dataclass(frozen=True)
class Span:
    """A stretch of speech and where it starts, in samples."""

    start: int
    samples: Samples

    @property
    def end(self) -> int:
        """The sample after the last."""
        return self.start + len(self.samples)


@dataclass(frozen=True)
class Chunk:
    """Spans of speech, closed up to at most 30 seconds, that the model hears as one."""

    spans: Sequence[Span]

    @cached_property
    def samples(self) -> Samples:
        """The speech without the silences between."""
        return np.concatenate([span.samples for span in self.spans])

    @property
    def end_s(self) -> float:
        """Where the chunk ends in the file."""
        return self.spans[-1].end / RATE

    @cached_property
    def _runs(self) -> list[tuple[int, int, int]]:
        """Where spans follow one another without a silence: start and end in the file, end in the closed-up speech."""
        runs: list[tuple[int, int, int]] = []
        for span, end in zip(self.spans, accumulate(len(span.samples) for span in self.spans), strict=True):
            start = runs.pop()[0] if runs and runs[-1][1] == span.start else span.start
            runs.append((start, span.end, end))
        return runs

    def place(self, start_s: float, end_s: float) -> tuple[float, float]:
        """A time within the closed-up speech as a time in the file; its middle decides the run of speech."""
        middle = (start_s + end_s) / 2 * RATE
        first, last, closed_up = next((run for run in self._runs if middle < run[2]), self._runs[-1])
        shift = last - closed_up
        return _within(first, start_s * RATE + shift, last), _within(first, end_s * RATE + shift, last)


class Recording:
    """A sound file being read once, from start to end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard = 0  # samples read so far: the length, at the end
        # A header may promise more than was written.
        self.expected_s = max((path.stat().st_size - 44) / 2 / RATE, 0.0)

    @property
    def duration_s(self) -> float:
        """Length of what was read, in seconds."""
        return self.heard / RATE

    def chunks(self, look: Callable[[], None]) -> Iterator[Chunk]:
        """All speech in chunks; `look` is called before each window and may raise."""
        held: list[Span] = []
        for span in self._spans(look):
            if held and sum(len(other.samples) for other in held) + len(span.samples) > CHUNK_S * RATE:
                yield Chunk(held)
                held = []
            held.append(span)
        if held:
            yield Chunk(held)

    def _spans(self, look: Callable[[], None]) -> Iterator[Span]:
        origin, rest = 0, np.empty(0, np.float32)
        for block, last in self._blocks():
            look()
            window = np.concatenate([rest, block])
            found = _speech(window)
            cut = len(window) if last else _cut(window, found)
            for start, end in found:
                if end <= cut:
                    yield Span(origin + start, window[start:end])
            origin, rest = origin + cut, window[cut:]

    def _blocks(self) -> Iterator[tuple[Samples, bool]]:
        """Windows of samples, each with whether it is the last."""
        if not self.path.stat().st_size:
            return
        with _opened(self.path) as file:
            block = file.readframes(WINDOW_S * RATE)
            while block:
                following = file.readframes(WINDOW_S * RATE)
                self.heard += len(block) // 2
                samples = np.frombuffer(block, np.int16, len(block) // 2).astype(np.float32)
                yield samples / np.float32(32768), not following
                block = following


def _within(first: int, sample: float, last: int) -> float:
    return min(max(sample, first), last) / RATE


@contextmanager
def _opened(path: Path) -> Iterator[wave.Wave_read]:
    try:
        with wave.open(str(path), "rb") as file:
            if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, RATE):
                raise NotSpeech(f"{path.name} is not 16-bit mono sound at {RATE} Hz")
            yield file
    except (wave.Error, EOFError) as error:
        raise NotSpeech(f"{path.name} is not a WAV file: {error}") from error


def _speech(window: Samples) -> list[tuple[int, int]]:
    return [(span["start"], span["end"]) for span in get_speech_timestamps(window, _VAD) if span["end"] > span["start"]]


def _cut(window: Samples, found: Sequence[tuple[int, int]]) -> int:
    """Where the next window begins: before speech that may go on, else a second before the end."""
    settled = max(len(window) - RATE, 0)
    return found[-1][0] if found and found[-1][1] > settled else settled
