"""The speech model that ships understands voices it never heard."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest
from faster_whisper import WhisperModel

from mill_transcriber.models import DEMO_MODEL, locate
from tools.speech_model.phrases import heard
from tools.speech_model.voices import HELD_OUT_VARIANTS
from tools.speech_model.word_errors import error_rate

VOICES = Path(__file__).parent / "voices"
RECORDINGS: list[dict[str, str]] = json.loads((VOICES / "voices.json").read_text())


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(locate(DEMO_MODEL))


@pytest.fixture(scope="module")
def transcripts(folder: Path) -> list[list[str]]:
    """What the model hears in each recording."""
    model = WhisperModel(str(folder), device="cpu", compute_type="int8", cpu_threads=1)
    found = []
    for recording in RECORDINGS:
        segments, _ = model.transcribe(str(VOICES / recording["file"]), language="en", condition_on_previous_text=False)
        found.append(heard(" ".join(segment.text for segment in segments)))
    return found


@pytest.mark.slow
def test_fewer_than_one_word_in_twenty_is_wrong(transcripts: list[list[str]]) -> None:
    said = [recording["text"].split() for recording in RECORDINGS]
    assert sum(map(len, said)) > 150
    assert error_rate(zip(transcripts, said, strict=True)) < 0.05


def test_every_voice_was_held_out_of_training() -> None:
    variants = {recording["voice"].partition("+")[2] for recording in RECORDINGS}
    assert variants == set(HELD_OUT_VARIANTS)


def test_the_model_lies_in_the_package_with_all_that_loads_it_offline(folder: Path) -> None:
    assert folder == Path(str(resources.files("mill_transcriber") / "model"))
    needed = {"model.bin", "config.json", "vocabulary.json", "tokenizer.json", "preprocessor_config.json", "README.md"}
    assert needed == {path.name for path in folder.iterdir()}
