"""Mel spectra as faster-whisper computes them, in parts, so that training can mix sounds before the last step."""

from __future__ import annotations

import numpy as np
from faster_whisper.feature_extractor import FeatureExtractor
from numpy.typing import NDArray

BANDS = 80
FRAMES_PER_S = 100

Spectrum = NDArray[np.float32]  # frames of 10 ms × bands

_LEAST = 1e-10
_WINDOW = 400
_HOP = 160
_FILTERS: Spectrum = FeatureExtractor().mel_filters.astype(np.float32)
_TAPER = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)


def power(samples: NDArray[np.float32]) -> Spectrum:
    """The power in each band, frame by frame, of samples at 16 kHz."""
    padded = np.pad(samples, _WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    spectrum = np.abs(np.fft.rfft(frames * _TAPER)) ** 2
    return np.asarray(spectrum @ _FILTERS.T, np.float32)


def logarithm(powers: Spectrum) -> Spectrum:
    """Base 10, with a floor instead of minus infinity."""
    return np.log10(np.maximum(powers, _LEAST), dtype=np.float32)


def normalise(logs: Spectrum, headroom: float = 0.0) -> Spectrum:
    """Whisper's range: eight decades below the loudest, which lies `headroom` decades above these frames' own."""
    loudest = float(logs.max()) + headroom
    return np.asarray((np.maximum(logs, loudest - 8) + 4) / 4, np.float32)
