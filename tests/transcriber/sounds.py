"""Sound for the transcriber: digits that espeak-ng spoke once, and what is no speech."""

import json
import wave
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import decode_audio

RATE = 16_000
DATA = Path(__file__).parent / "data"
TEXTS: dict[str, str] = json.loads((DATA / "texts.json").read_text())
Sound = np.ndarray[Any, np.dtype[np.float32]]


@cache
def spoken(name: str) -> Sound:
    """One of the recordings named in `TEXTS`."""
    return np.asarray(decode_audio(str(DATA / f"{name}.flac"), sampling_rate=RATE), np.float32)


def silence(seconds: float) -> Sound:
    return np.zeros(int(seconds * RATE), np.float32)


def noise(seconds: float) -> Sound:
    return np.random.default_rng(1).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)


def tone(seconds: float) -> Sound:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE)) / RATE)).astype(np.float32)


def digits(seconds: float, pause_s: float = 0.7) -> tuple[Sound, list[str]]:
    """The recordings in turn until `seconds` are full, and the words in them."""
    parts: list[Sound] = []
    words: list[str] = []
    names = sorted(TEXTS)
    while sum(map(len, parts)) < seconds * RATE:
        name = names[len(parts) // 2 % len(names)]
        parts += [spoken(name), silence(pause_s)]
        words += TEXTS[name].split()
    return np.concatenate(parts), words


def write(path: Path, *sounds: Sound) -> Path:
    """A 16-bit mono WAV file of sounds, one after the other."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(np.concatenate(sounds), -1, 1) * 32767).astype(np.int16).tobytes())
    return path
