"""Sounds that are no speech, as power spectra of mean one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tools.speech_model import mel
from tools.speech_model.synthesis import RATE_HZ

_SECONDS = 40
_SEED = 7
BACKGROUNDS = 5  # so many of them, from the first, also lie under speech


def noises() -> list[mel.Spectrum]:
    """White to brown noise and a hum, then a wandering tone and clicks."""
    rng = np.random.default_rng(_SEED)
    sounds = [*(_coloured(rng, slope) for slope in (0, 0.5, 1, 0.25)), _hum(), _tone(rng), _clicks(rng)]
    return [_spectrum(sound) for sound in sounds]


def _spectrum(sound: NDArray[np.float64]) -> mel.Spectrum:
    powers = mel.power((sound / sound.std()).astype(np.float32))
    return np.asarray(powers / powers.mean(), np.float32)


def _coloured(rng: np.random.Generator, slope: float) -> NDArray[np.float64]:
    count = _SECONDS * RATE_HZ
    frequencies = np.fft.rfftfreq(count, 1 / RATE_HZ)
    frequencies[0] = frequencies[1]
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) / frequencies**slope, count)


def _hum() -> NDArray[np.float64]:
    time = np.arange(_SECONDS * RATE_HZ) / RATE_HZ
    return np.asarray(sum(np.sin(2 * np.pi * 50 * k * time + k) / k for k in range(1, 8)))


def _tone(rng: np.random.Generator) -> NDArray[np.float64]:
    frequencies = np.repeat(rng.uniform(150, 2500, 2 * _SECONDS), RATE_HZ // 2)
    return np.asarray(np.sin(2 * np.pi * np.cumsum(frequencies) / RATE_HZ))


def _clicks(rng: np.random.Generator) -> NDArray[np.float64]:
    impulses = np.zeros(_SECONDS * RATE_HZ)
    impulses[rng.integers(0, len(impulses), 3 * _SECONDS)] = 30
    return np.convolve(impulses, np.exp(-np.arange(200) / 30), "same")
