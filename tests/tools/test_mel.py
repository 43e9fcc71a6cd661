"""Training hears what faster-whisper will compute."""

from __future__ import annotations

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from tools.speech_model import mel


def test_spectra_equal_those_of_faster_whisper() -> None:
    samples = np.random.default_rng(2).standard_normal(16_000).astype(np.float32) * 0.1
    theirs = FeatureExtractor()(samples, padding=0).T
    ours = mel.normalise(mel.logarithm(mel.power(samples)))[: len(theirs)]
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_silence_has_a_floor() -> None:
    assert mel.logarithm(mel.power(np.zeros(1600, np.float32))) == pytest.approx(-10)
