"""What was said, as words with times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self


@dataclass(frozen=True)
class Word:
    """A word as the model wrote it: with its leading space, if it has one, and its punctuation. Times in seconds."""

    start: float
    end: float
    text: str
    probability: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Segment:
    """What the model heard in one stretch of speech, and how sure it was."""

    start: float  # seconds
    end: float
    text: str
    words: Sequence[Word] = ()
    tokens: Sequence[int] = ()
    seek: int = 0  # start of the decoded window in hundredths of a second
    temperature: float = 0.0
    avg_logprob: float = 0.0
    compression_ratio: float = 1.0
    no_speech_prob: float = 0.0

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """A segment from what `dataclasses.asdict` made of one."""
        return cls(**{**facts, "words": tuple(Word(**word) for word in facts["words"])})


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """Everything that was said. `language` is None where nobody speaks."""

    segments: Sequence[Segment]
    duration_s: float
    model: str
    language: str | None = None
    task: str = "transcribe"  # or "translate": then the text is English
    language_probability: float | None = None  # None too if the language was not detected but given

    @property
    def written_in(self) -> str | None:
        """The language of the text."""
        return "en" if self.task == "translate" and self.language else self.language

    @property
    def text(self) -> str:
        """All of it in one line."""
        return " ".join(" ".join(segment.text.split()) for segment in self.segments)

    @property
    def words(self) -> list[Word]:
        """Every word in order."""
        return [word for segment in self.segments for word in segment.words]


def in_order(segments: Iterable[Segment], duration_s: float) -> Iterator[Segment]:
    """Segments whose times never go back, whose words lie inside them, and which end with the sound."""
    earliest = 0.0
    for segment in segments:
        start = _clamp(segment.start, earliest, duration_s)
        end = _clamp(segment.end, start, duration_s)
        words = tuple(_words_in_order(segment.words or _spread(segment), start, end))
        yield replace(segment, start=start, end=end, words=words)
        earliest = end


def _words_in_order(words: Iterable[Word], earliest: float, latest: float) -> Iterator[Word]:
    for word in words:
        start = _clamp(word.start, earliest, latest)
        earliest = _clamp(word.end, start, latest)
        yield replace(word, start=start, end=earliest)


def _spread(segment: Segment) -> Iterator[Word]:
    """The words of a segment that could not be aligned, evenly over its time."""
    texts = segment.text.split()
    each = (segment.end - segment.start) / max(len(texts), 1)
    for index, text in enumerate(texts):
        start = segment.start + index * each
        yield Word(start, start + each, f" {text}", probability=0.0)


def _clamp(value: float, low: float, high: float) -> float:
    return round(min(max(value, low), high), 3)
