"""Measure a model through faster-whisper on held-out voices: `python -m tools.speech_model.evaluate`."""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel
from numpy.typing import NDArray

from tools.speech_model.held_out import Counts, Recording, recordings
from tools.speech_model.phrases import heard
from tools.speech_model.synthesis import RATE_HZ
from tools.speech_model.word_errors import edits, error_rate

FULL = Counts(new_speakers=240, new_accent=60, stuttering=60, known=28)
QUICK = Counts(new_speakers=12, new_accent=4)
SHIPPED = Path(__file__).parents[2] / "services/transcriber/mill_transcriber/model"

Samples = NDArray[np.float32]
Listener = Callable[[Samples], list[Any]]
Wrong = dict[str, float]

_LONG = 12  # recordings joined to a long one
_HALF_MINUTE_AT_MOST = ("batched, timestamps, without VAD", "batched, no timestamps, without VAD")
_WAYS: dict[str, tuple[bool, dict[str, object]]] = {
    "in sequence": (False, {}),
    "in sequence, VAD": (False, {"vad_filter": True}),
    "in sequence, word timestamps": (False, {"word_timestamps": True}),
    "batched, timestamps": (True, {"without_timestamps": False}),
    "batched, timestamps, without VAD": (True, {"without_timestamps": False, "vad_filter": False}),
    "batched, no timestamps": (True, {"without_timestamps": True}),
    "batched, no timestamps, without VAD": (True, {"without_timestamps": True, "vad_filter": False}),
}


def listeners(folder: Path, threads: int) -> dict[str, Listener]:
    """The ways to use a model: each turns samples into segments."""
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=threads)
    batched = BatchedInferencePipeline(model)
    return {
        name: _listener(batched.transcribe if batch else model.transcribe, options)
        for name, (batch, options) in _WAYS.items()
    }


def _listener(transcribe: Callable[..., Any], options: dict[str, object]) -> Listener:
    def listen(samples: Samples) -> list[Any]:
        return list(transcribe(samples, language="en", condition_on_previous_text=False, **options)[0])

    return listen


def words(segments: Iterable[Any]) -> list[str]:
    """All words of some segments."""
    return heard(" ".join(segment.text for segment in segments))


def word_error_rates(listen: Listener, spoken: Sequence[Recording]) -> Wrong:
    """Word error rate of each group of recordings."""
    pairs = defaultdict(list)
    for recording in spoken:
        pairs[recording.group].append((words(listen(recording.samples)), recording.words))
    return {group: error_rate(found) for group, found in pairs.items()}


def join(spoken: Sequence[Recording]) -> tuple[Samples, list[str], list[float]]:
    """A long recording of several, two seconds apart, with the words and the start of each in seconds."""
    pause = np.zeros(2 * RATE_HZ, np.float32)
    parts, said, starts_s, position = [pause], list[str](), list[float](), len(pause)
    for recording in spoken:
        loud = np.flatnonzero(np.abs(recording.samples) > 0.01 * np.abs(recording.samples).max())
        starts_s.append((position + int(loud[0])) / RATE_HZ)
        parts += [recording.samples, pause]
        position += len(recording.samples) + len(pause)
        said += recording.words
    return np.concatenate(parts), said, starts_s


def long_recordings(listen: Listener, spoken: Sequence[Recording]) -> tuple[float, float]:
    """Word error rate of long recordings, and by how much the median segment start is off in seconds."""
    pairs, off_s = [], list[float]()
    for first in range(0, len(spoken) - _LONG + 1, _LONG):
        samples, said, starts_s = join(spoken[first : first + _LONG])
        segments = listen(samples)
        pairs.append((words(segments), said))
        off_s += [min(abs(segment.start - start) for start in starts_s) for segment in segments]
    return error_rate(pairs), float(np.median(off_s))


def invented(listen: Listener) -> int:
    """How many words are heard in five seconds each of silence, noise and a tone."""
    time = np.arange(5 * RATE_HZ, dtype=np.float32) / RATE_HZ
    noise = np.random.default_rng(1).standard_normal(len(time)).astype(np.float32)
    sounds = (np.zeros_like(time), 0.02 * noise, 0.3 * np.sin(2 * np.pi * 440 * time))
    return sum(len(words(listen(sound.astype(np.float32)))) for sound in sounds)


def report(folder: Path, counts: Counts, threads: int, ways: Sequence[str]) -> Iterator[str]:
    """All measures as the lines of a Markdown table; says first on how much they rest."""
    spoken = list(recordings(counts))
    groups = list(dict.fromkeys(recording.group for recording in spoken))
    fresh = [recording for recording in spoken if recording.group == groups[0]][: 10 * _LONG]
    listening = listeners(folder, threads)
    yield _counted(spoken, len(fresh) // _LONG) + "\n"
    yield _line(["way", *groups, "long recordings", "segment start off by", "words invented"])
    yield _line(["---"] * (len(groups) + 4))
    for name in ways:
        listen = listening[name]
        rates = word_error_rates(listen, spoken)
        long = _long_cells(listen, fresh) if name not in _HALF_MINUTE_AT_MOST else ["–", "–"]
        yield _line([name, *(f"{rates[group]:.1%}" for group in groups), *long, str(invented(listen))])


def _long_cells(listen: Listener, spoken: Sequence[Recording]) -> list[str]:
    rate, off_s = long_recordings(listen, spoken)
    return [f"{rate:.1%}", f"{off_s:.2f} s"]


def _counted(spoken: Sequence[Recording], long: int) -> str:
    said = Counter[str]()
    for recording in spoken:
        said[recording.group] += len(recording.words)
    groups = ", ".join(f"{count} of {group}" for group, count in said.items())
    return f"Word error rates on {said.total()} words in {len(spoken)} recordings ({groups}) and {long} long ones:"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def check(folder: Path, counts: Counts = QUICK) -> float:
    """The word error rate over some recordings, in sequence."""
    listen = listeners(folder, threads=1)["in sequence"]
    wrong = total = 0
    for recording in recordings(counts):
        wrong += edits(words(listen(recording.samples)), recording.words)
        total += len(recording.words)
    return wrong / total


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.speech_model.evaluate", description=__doc__)
    parser.add_argument("model", nargs="?", type=Path, default=SHIPPED)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--way", action="append", choices=_WAYS, help="one way to listen; all if not given")
    parsed = parser.parse_args()
    for line in report(parsed.model, FULL, parsed.threads, parsed.way or list(_WAYS)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
