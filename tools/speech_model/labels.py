"""What the model should write for a window, and where it should look while it writes."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field

from tools.speech_model.corpus import Word
from tools.speech_model.tokenizer import TIMESTAMPS, Tokens
from tools.speech_model.windows import Window

IGNORE = -100
NOWHERE = (-1.0, -1.0, -1.0)
Span = tuple[float, float, float]  # from, to and the end of the pause after it (or 0), in encoder frames of 20 ms

_GRID = 5  # timestamps fall on tenths of a second
_LONGEST_PROMPT = 223
_LONGEST_PAUSE = 400  # frames of 10 ms
_FIRST_LIMIT = 50  # faster-whisper lets the first timestamp be one second at most


@dataclass
class Labels:
    """The decoder's input, the token that should follow each, and the span to look at for that token."""

    inputs: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)

    def feed(self, token: int, target: int = IGNORE) -> None:
        """Add an input whose successor is given, and need not be learnt."""
        self.inputs.append(token)
        self.targets.append(target)
        self.spans.append(NOWHERE)

    def write(self, token: int, span: Span = NOWHERE) -> None:
        """Add a token that the last input should bring forth."""
        self.targets[-1] = token
        self.spans[-1] = span
        self.feed(token)


class Writer:
    """Writes the labels of windows."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def write(self, rng: random.Random, window: Window, offset: int, first_limited: bool) -> Labels:
        """Label one window.

        Args:
            rng: Decides on a prompt and on timestamps.
            window: What is heard.
            offset: How many encoder frames of the model's half minute lie before the window.
            first_limited: Write a late first timestamp as one second, as decoding will force it.
        """
        labels = Labels()
        if rng.random() < 0.3:
            self._prompt(rng, labels)
        timed = rng.random() < 0.5
        labels.feed(self.tokens.start, self.tokens.nobody if window.silent else IGNORE)
        if window.silent:
            self._silence(rng, labels, timed)
        elif timed:
            self._timed(rng, labels, window, offset, first_limited)
        else:
            labels.feed(self.tokens.untimed)
            segments = [*window.segments, *([_inside(window)] if _inside(window) else [])]
            self._words(labels, segments)
            last = segments[-1][-1].end / 2 if segments else 0.0
            labels.write(self.tokens.end, (last, last + 12, 0) if segments else NOWHERE)
        for row in (labels.inputs, labels.targets, labels.spans):
            row.pop()  # nothing follows the end
        return labels

    def _silence(self, rng: random.Random, labels: Labels, timed: bool) -> None:
        if timed:
            labels.feed(self.tokens.zero_s + (0 if rng.random() < 0.7 else rng.randint(0, _FIRST_LIMIT)))
        else:
            labels.feed(self.tokens.untimed)
            labels.write(self.tokens.blank)  # CTranslate2's beam search can't return an empty text
        labels.write(self.tokens.end)

    def _timed(self, rng: random.Random, labels: Labels, window: Window, offset: int, first_limited: bool) -> None:
        segments, tail = list(window.segments), None
        inside = _inside(window)
        if window.cut and segments:
            tail = self._stamp(window.cut[0].start, offset)  # decoding goes on from here
        elif inside:
            segments = [inside]
        for index, segment in enumerate(segments):
            start = self._stamp(segment[0].start, offset)
            if first_limited and index == 0 and rng.random() < 0.6:
                start = min(start, self.tokens.zero_s + _FIRST_LIMIT)
            labels.write(start, _around(segment[0].start))
            self._words(labels, [segment], segments[index + 1][0].start if index + 1 < len(segments) else None)
            labels.write(self._stamp(segment[-1].end, offset, up=True), _around(segment[-1].end))
        if tail is not None and window.cut:
            labels.write(tail, _around(window.cut[0].start))
        elif window.cut and inside:
            labels.write(self._stamp(inside[-1].end, offset, up=True), _around(inside[-1].end))
        labels.write(self.tokens.end)

    def _words(self, labels: Labels, segments: list[list[Word]], after: int | None = None) -> None:
        words = [word for segment in segments for word in segment]
        followers = [*(word.start for word in words[1:]), after]
        for word, follower in zip(words, followers, strict=True):
            # A pause belongs to the word before it.
            pause = min(follower, word.end + _LONGEST_PAUSE) / 2 if follower is not None else 0.0
            start = word.start / 2
            labels.write(self.tokens.words[word.digit], (start, max(word.end / 2, start + 2), pause))

    def _stamp(self, frame: int, offset: int, up: bool = False) -> int:
        place = frame / 2 + offset
        step = math.ceil((place - 0.5) / _GRID) if up else int((place + 0.5) // _GRID)
        return self.tokens.zero_s + min(TIMESTAMPS - 1, max(0, _GRID * step))

    def _prompt(self, rng: random.Random, labels: Labels) -> None:
        """Text of an earlier window, with timestamps in most cases."""
        tokens, place = [], 0
        timed = rng.random() < 0.8
        for _ in range(rng.choice((1, 1, 2, 3, 5, 8, 12)) if timed else 1):
            words = rng.choices(self.tokens.words, k=rng.randint(1, 12))
            place += rng.randint(1, 120)
            start = self._stamp(2 * place, 0)
            place += 18 * len(words) + rng.randint(0, 10)
            tokens += [start, *words, self._stamp(2 * place, 0, up=True)] if timed else words
        labels.feed(self.tokens.previous)
        for token in tokens[-_LONGEST_PROMPT:]:
            labels.feed(token)


def _around(frame: int) -> Span:
    return (max(0.0, frame / 2 - 2), frame / 2 + 3, 0.0)


def _inside(window: Window) -> list[Word]:
    """Those words of the cut segment that are heard to their end."""
    return [word for word in window.cut or [] if word.end + 8 <= len(window.logs)]
