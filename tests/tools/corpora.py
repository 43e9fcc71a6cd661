"""A corpus without a synthesiser: each digit is a tone in a band of its own, so that a window can be read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tools.speech_model import mel

WORD, PAUSE = 30, 10  # frames
BANDS_PER_DIGIT = 8


def write(path: Path, rows: list[list[int]]) -> Path:
    """Write a shard with one utterance for each row of digits."""
    logs, words = [], []
    for number, digits in enumerate(rows):
        utterance = np.full((len(digits) * (WORD + PAUSE), mel.BANDS), -6, np.float16)
        for index, digit in enumerate(digits):
            start = index * (WORD + PAUSE)
            utterance[start : start + WORD, band(digit)] = 1
            words.append((number, digit, start, start + WORD))
        logs.append(utterance)
    lengths = np.array([len(one) for one in logs])
    np.savez(path, logs=np.concatenate(logs), lengths=lengths, words=np.array(words))
    return path


def band(digit: int) -> int:
    """Where a digit's tone lies."""
    return digit * BANDS_PER_DIGIT + BANDS_PER_DIGIT // 2


def read(frame: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> int:
    """The digit whose tone is loudest."""
    return int(frame.argmax()) // BANDS_PER_DIGIT
