"""Recordings of voices that training never heard, for evaluation and for the tests.

`python -m tools.speech_model.held_out FOLDER` writes the small set that the tests read.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tools.speech_model.phrases import WORDS, row, spell, stuttering_row
from tools.speech_model.synthesis import RATE_HZ, Synthesiser, Voice
from tools.speech_model.voices import ACCENTS, HELD_OUT_ACCENT, HELD_OUT_VARIANTS

_SEED = 20_011
_BIT_RATE = 24_000


@dataclass(frozen=True)
class Recording:
    """What a voice said. Samples are at 16 kHz."""

    group: str
    voice: str
    words: list[str]
    samples: NDArray[np.float32]


@dataclass(frozen=True)
class Counts:
    """How many recordings of each group."""

    new_speakers: int = 0
    new_accent: int = 0
    stuttering: int = 0
    known: int = 0


def recordings(counts: Counts) -> Iterator[Recording]:
    """Speak with new speakers, new speakers in a new accent, new speakers who stutter, and plain voices of training."""
    synthesiser, rng = Synthesiser(), random.Random(_SEED)
    for index in range(counts.new_speakers):
        yield _record(synthesiser, rng, "new speakers", f"{rng.choice(ACCENTS)}+{_variant(index)}")
    for index in range(counts.new_accent):
        yield _record(synthesiser, rng, "new accent", f"{HELD_OUT_ACCENT}+{_variant(index)}")
    for index in range(counts.stuttering):
        yield _record(synthesiser, rng, "runs of one digit", f"{rng.choice(ACCENTS)}+{_variant(index)}", stuttering_row)
    for index in range(counts.known):
        yield _record(synthesiser, rng, "known voices", ACCENTS[index % len(ACCENTS)])


def _variant(index: int) -> str:
    return HELD_OUT_VARIANTS[index % len(HELD_OUT_VARIANTS)]


def _record(
    synthesiser: Synthesiser,
    rng: random.Random,
    group: str,
    name: str,
    draw: Callable[[random.Random, int], list[int]] = row,
) -> Recording:
    digits = draw(rng, rng.randint(1, 12))
    voice = Voice(name, speed=rng.randint(130, 220), pitch=rng.randint(30, 70))
    speech = synthesiser.say(spell(digits, rng.choice((" ", " ", ", "))), voice)
    return Recording(group, name, [WORDS[digit] for digit in digits], speech.samples)


def write(folder: Path) -> None:
    """Write a small set as Opus files beside `voices.json`, which says who speaks and what is said."""
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for number, recording in enumerate(recordings(Counts(new_speakers=48, new_accent=24))):
        name = f"{number:02d}.ogg"
        _write_opus(folder / name, recording.samples)
        index.append({"file": name, "voice": recording.voice, "text": " ".join(recording.words)})
    (folder / "voices.json").write_text(json.dumps(index, indent=1) + "\n")


def _write_opus(path: Path, samples: NDArray[np.float32]) -> None:
    with av.open(str(path), "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE_HZ, layout="mono", options={"application": "voip"})
        stream.bit_rate = _BIT_RATE
        frame = av.AudioFrame.from_ndarray((samples[None] * 32767).astype(np.int16), format="s16", layout="mono")
        frame.sample_rate = RATE_HZ
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.speech_model.held_out", description=__doc__)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder)


if __name__ == "__main__":
    main()
