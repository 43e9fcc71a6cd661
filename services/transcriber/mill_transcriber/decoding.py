"""Speech to segments: batched where that goes well, one chunk at a time where it does not.

The batched pipeline decodes each chunk once and skips the checks that keep Whisper from inventing text, so they are
made here: what fails them is decoded again by the sequential path, which tries rising temperatures, and what still
fails is dropped.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from faster_whisper import BatchedInferencePipeline

from mill_transcriber.speech import RATE, Chunk
from mill_transcriber.transcript import Segment, Word

# Whisper's own thresholds.
MOST_REPETITIVE = 2.4
LEAST_LOGPROB = -1.0
MOST_SILENT = 0.6
# A chunk holds many segments, and ordinary speech repeats itself more over half a minute than over a sentence.
MOST_REPETITIVE_CHUNK = 4.0

# With timestamps, because a model may drop words without them, and because they end sentences.
_OPTIONS: dict[str, Any] = {
    "word_timestamps": True,
    "without_timestamps": False,
    "condition_on_previous_text": False,
}
# One window of thirty seconds is rarely too little to tell a language; if it is, listen to more.
_DETECTION_WINDOWS = 4
_CHUNK_TICKS = 1500  # a chunk's length in steps of a timestamp


class UnknownLanguage(ValueError):
    """The model does not know the language asked for."""


class Decoder:
    """One transcription's decoding; it settles on a language with the first words it finds.

    Raises:
        UnknownLanguage: If the model does not know the language.
    """

    def __init__(self, model: Any, *, language: str | None, beam: int, task: str = "transcribe") -> None:
        if language is not None and language not in model.supported_languages:
            known = ", ".join(sorted(model.supported_languages))
            raise UnknownLanguage(f"The speech model does not know the language {language!r}; it knows {known}.")
        self.model = model
        self.language = language
        self.probability: float | None = None  # of a detected language
        self._beam = beam
        self._task = task
        # The pipeline keeps state from one call to the next, so it serves one transcription.
        self._pipeline = BatchedInferencePipeline(model)
        _end_every_text(self._pipeline)

    def decode(self, chunks: Sequence[Chunk]) -> list[Segment]:
        """What is said in some chunks, with times in the file."""
        heard, info = self._batched(chunks)
        segments = [
            placed
            for chunk, found in zip(chunks, heard, strict=True)
            for placed in _placed(chunk, found if passes(found) else self._again(chunk, info.language))
        ]
        if segments and self.language is None:
            self.language, self.probability = info.language, float(info.language_probability)
        return segments

    def _batched(self, chunks: Sequence[Chunk]) -> tuple[list[list[Segment]], Any]:
        """Segments by chunk, with times from the chunk's start."""
        ends = list(accumulate(len(chunk.samples) for chunk in chunks))
        starts = [0, *ends[:-1]]
        clips = [{"start": _seconds(start), "end": _seconds(end)} for start, end in zip(starts, ends, strict=True)]
        found, info = self._pipeline.transcribe(
            np.concatenate([chunk.samples for chunk in chunks]),
            language=self.language,
            task=self._task,
            clip_timestamps=clips,
            batch_size=len(chunks),
            beam_size=self._beam,
            language_detection_segments=_DETECTION_WINDOWS,
            **_OPTIONS,
        )
        seeks = [int(start / RATE * self.model.frames_per_second) for start in starts]
        heard: list[list[Segment]] = [[] for _ in chunks]
        for raw in found:
            index = bisect_right(seeks, raw.seek) - 1
            heard[index].append(_segment(raw, starts[index] / RATE))
        return heard, info

    def _again(self, chunk: Chunk, language: str) -> list[Segment]:
        """One chunk decoded sequentially, without what still fails the checks."""
        found, _ = self.model.transcribe(
            chunk.samples, language=language, task=self._task, beam_size=self._beam, **_OPTIONS
        )
        return [segment for segment in (_segment(raw, 0.0) for raw in found) if not _invented(segment)]


def passes(found: Sequence[Segment]) -> bool:
    """Whether a chunk's text can be believed as it is."""
    said = [segment for segment in found if _has_words(segment)]
    return (
        all(
            segment.compression_ratio <= MOST_REPETITIVE
            and segment.avg_logprob >= LEAST_LOGPROB
            and segment.no_speech_prob <= MOST_SILENT
            for segment in said
        )
        and _compression_ratio("".join(segment.text for segment in said)) <= MOST_REPETITIVE_CHUNK
    )


def _invented(segment: Segment) -> bool:
    """Whether text fails two checks at once: one alone may be a mumble, a chorus or a pause."""
    failed = (
        segment.compression_ratio > MOST_REPETITIVE,
        segment.avg_logprob < LEAST_LOGPROB,
        segment.no_speech_prob > MOST_SILENT,
    )
    return sum(failed) >= 2


def _has_words(segment: Segment) -> bool:
    return any(char.isalnum() for char in segment.text)


def _compression_ratio(text: str) -> float:
    encoded = text.encode()
    return len(encoded) / len(zlib.compress(encoded))


def _seconds(samples: int) -> float:
    """A time that the pipeline, which rounds down, turns into the same sample again."""
    return (samples + 0.25) / RATE


def _segment(raw: Any, offset_s: float) -> Segment:
    """A segment of faster-whisper's, with times from `offset_s`."""
    words = tuple(
        Word(float(word.start) - offset_s, float(word.end) - offset_s, word.word, float(word.probability))
        for word in raw.words or ()
    )
    return Segment(
        start=float(raw.start) - offset_s,
        end=float(raw.end) - offset_s,
        text=raw.text,
        words=words,
        tokens=[int(token) for token in raw.tokens],
        temperature=float(raw.temperature or 0.0),
        avg_logprob=float(raw.avg_logprob),
        compression_ratio=float(raw.compression_ratio),
        no_speech_prob=float(raw.no_speech_prob),
    )


def _placed(chunk: Chunk, found: Sequence[Segment]) -> Iterator[Segment]:
    """Segments that hold words, with times in the file."""
    seek = round(chunk.spans[0].start / RATE * 100)
    for segment in filter(_has_words, found):
        words = tuple(Word(*chunk.place(word.start, word.end), word.text, word.probability) for word in segment.words)
        if words:
            start, end = words[0].start, words[-1].end
        else:
            start, end = chunk.place(segment.start, segment.end)
        yield Segment(**{**vars(segment), "start": start, "end": end, "words": words, "seek": seek})


def _end_every_text(pipeline: Any) -> None:
    """Close a text that ends without a timestamp.

    The pipeline drops what follows the last pair of timestamps; the sequential path would go back and hear it again.
    """
    generate = pipeline.generate_segment_batched

    def closed(features: Any, tokenizer: Any, options: Any) -> Any:
        encoded, outputs = generate(features, tokenizer, options)
        for output in outputs:
            tokens = output["tokens"]
            if tokens and tokens[-1] < tokenizer.timestamp_begin:
                output["tokens"] = [*tokens, tokenizer.timestamp_begin + _CHUNK_TICKS]
        return encoded, outputs

    pipeline.generate_segment_batched = closed
