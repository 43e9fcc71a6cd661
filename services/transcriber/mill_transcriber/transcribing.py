"""One transcription in the child process, from a sound file to answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from mill_transcriber.decoding import Decoder
from mill_transcriber.loading import Loaded
from mill_transcriber.speech import Chunk, Recording

Say = Callable[..., None]


class Transcription:
    """A sound file being transcribed.

    Args:
        check: Called before each window and each call of the model; raises if the work is to be put down.
        say: Called with an answer's name and facts, from two threads.
    """

    def __init__(self, loaded: Loaded, audio: Path, decoder: Decoder, check: Callable[[], None], say: Say) -> None:
        self._model = loaded.model
        self._recording = Recording(audio)
        self._decoder = decoder
        self._check = check
        self._say = say

    def run(self, batch: int) -> None:
        """Decode in batches of chunks; the next batch's speech is looked for meanwhile."""
        encode = self._model.encode
        # Called once a window or batch whatever the path: the one place where decoding can be stopped.
        self._model.encode = self._watched(encode)
        try:
            for chunks in _ahead(self._recording.chunks(self._look), batch):
                segments = [asdict(segment) for segment in self._decoder.decode(chunks)]
                self._answer("heard", until_s=chunks[-1].end_s, segments=segments)
        finally:
            self._model.encode = encode
        self._answer("done", language=self._decoder.language, probability=self._decoder.probability)

    def _watched(self, encode: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def watched(features: Any) -> Any:
            self._look()
            return encode(features)

        return watched

    def _look(self) -> None:
        self._check()
        self._answer("alive")

    def _answer(self, answer: str, **facts: Any) -> None:
        recording = self._recording
        self._say(answer, duration_s=recording.duration_s, expected_s=recording.expected_s, **facts)


def _ahead(chunks: Iterator[Chunk], size: int) -> Iterator[list[Chunk]]:
    """Batches of chunks, each made while the one before is in use."""

    def batch() -> list[Chunk]:
        return list(islice(chunks, size))

    with ThreadPoolExecutor(1, "speech") as thread:
        coming = thread.submit(batch)
        while made := coming.result():
            coming = thread.submit(batch)
            yield made
