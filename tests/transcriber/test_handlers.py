import json
import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import srt
import webvtt
from transcriber.sounds import TEXTS, Sound, digits, noise, silence, spoken, tone, write
from transcriber.speech_task import SpeechTask

from mill_common.errors import ModelUnavailable, SourceUnreadable
from mill_common.settings import Settings
from mill_common.spec import JobSpec, TranscriptFormat, TranscriptSpec
from mill_transcriber.engine import LanguageUnknown
from mill_transcriber.handlers import HANDLERS, engine_for, options_from
from mill_transcriber.launch import check_model

transcribe = HANDLERS["transcribe"]
NAMES = ["transcript.txt", "transcript.srt", "transcript.vtt", "transcript.json"]


@pytest.fixture
def task(tmp_path: Path, settings: Settings) -> SpeechTask:
    return SpeechTask(tmp_path / "task", settings)


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_spoken_digits_come_out_as_said(task: SpeechTask, name: str) -> None:
    write(task.fetch("speech.wav"), spoken(name))
    result = transcribe(task)
    assert task.text("transcript.txt").split() == TEXTS[name].split()
    assert result.result == {"language": "en"}
    assert result.transcript is not None
    assert result.transcript["word_count"] == len(TEXTS[name].split())
    assert result.transcript["model"] == "tiny-digits"


def test_the_four_files_are_stored_and_say_the_same(task: SpeechTask) -> None:
    sound, words = digits(20)
    write(task.fetch("speech.wav"), sound)
    transcribe(task)
    assert [output.name for output in task.made.values()] == NAMES
    assert {output.kind for output in task.made.values()} == {"transcript"}
    facts = json.loads(task.text("transcript.json"))
    assert facts["text"].split() == [word["word"] for word in facts["words"]] == words
    assert " ".join(cue.content for cue in srt.parse(task.text("transcript.srt"))).split() == words
    assert " ".join(cue.text for cue in webvtt.from_string(task.text("transcript.vtt")).captions).split() == words


def test_words_lie_in_their_segments_where_somebody_speaks(task: SpeechTask) -> None:
    write(task.fetch("speech.wav"), silence(3.0), spoken("four_digits"), silence(4.0), spoken("five_digits"))
    transcribe(task)
    facts = json.loads(task.text("transcript.json"))
    words = facts["words"]
    assert len(words) == 9
    assert all(earlier["end"] <= later["start"] for earlier, later in pairwise(words))
    assert all(2.5 <= word["start"] < word["end"] <= 6.5 for word in words[:4])
    assert all(9.4 <= word["start"] < word["end"] <= facts["duration"] for word in words[4:])
    for segment in facts["segments"]:
        assert any(segment["start"] == word["start"] for word in words)
        assert any(segment["end"] == word["end"] for word in words)


@pytest.mark.parametrize("sound", [silence(6), noise(6), tone(6), silence(0)], ids=["silence", "noise", "tone", "none"])
def test_where_nobody_speaks_the_transcript_is_empty(task: SpeechTask, sound: Sound) -> None:
    write(task.fetch("speech.wav"), sound)
    result = transcribe(task)
    assert [task.text(name) for name in NAMES[:3]] == ["", "", "WEBVTT\n"]
    assert json.loads(task.text("transcript.json"))["segments"] == []
    assert result.result == {"language": None}
    assert result.transcript is not None
    assert (result.transcript["language"], result.transcript["word_count"]) == (None, 0)


def test_an_empty_file_is_a_sound_in_which_nobody_speaks(task: SpeechTask) -> None:
    task.fetch("speech.wav").touch()
    assert transcribe(task).result == {"language": None}


def test_a_file_that_is_no_wav_is_refused(task: SpeechTask) -> None:
    task.fetch("speech.wav").write_bytes(b"not a sound" * 100)
    with pytest.raises(SourceUnreadable, match=r"speech\.wav is not a WAV file"):
        transcribe(task)


def test_a_language_that_the_model_does_not_know_is_refused(tmp_path: Path, settings: Settings) -> None:
    task = SpeechTask(tmp_path / "task", settings, language="de")
    write(task.fetch("speech.wav"), spoken("four_digits"))
    with pytest.raises(LanguageUnknown, match="'de'"):
        transcribe(task)


def test_a_language_given_is_not_detected(tmp_path: Path, settings: Settings) -> None:
    task = SpeechTask(tmp_path / "task", settings, language="en")
    write(task.fetch("speech.wav"), spoken("four_digits"))
    transcript = transcribe(task).transcript
    assert transcript is not None
    assert (transcript["language"], transcript["language_probability"]) == ("en", None)


def test_without_a_model_the_message_names_the_setting(tmp_path: Path, settings: Settings) -> None:
    task = SpeechTask(tmp_path / "task", settings.model_copy(update={"whisper_model": ""}))
    with pytest.raises(ModelUnavailable, match="Set MILL_WHISPER_MODEL"):
        transcribe(task)


def test_a_missing_model_folder_is_told_with_advice(tmp_path: Path, settings: Settings) -> None:
    task = SpeechTask(tmp_path / "task", settings.model_copy(update={"whisper_model": str(tmp_path / "nowhere")}))
    with pytest.raises(ModelUnavailable, match=r"nowhere' is not a folder\. Set MILL_WHISPER_MODEL"):
        transcribe(task)


def test_a_model_folder_that_is_not_whole_is_told_by_what_it_lacks(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "config.json").write_text("{}")
    task = SpeechTask(tmp_path / "task", settings.model_copy(update={"whisper_model": str(tmp_path)}))
    with pytest.raises(ModelUnavailable, match=r"lacks model\.bin, tokenizer\.json, vocabulary\.json"):
        transcribe(task)


def test_a_check_loads_the_model_and_says_what_runs_it(settings: Settings) -> None:
    options = options_from(settings.model_copy(update={"whisper_device": "cpu"}))
    assert check_model(options) == "cpu"


def test_a_check_tells_what_is_wrong(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"\0" * 64)
    with pytest.raises(ModelUnavailable, match=r"'broken' cannot be loaded: .*Set MILL_WHISPER_MODEL"):
        check_model(replace(options_from(settings), model=str(tmp_path), name="broken"))


def test_equal_settings_share_an_engine(settings: Settings) -> None:
    assert engine_for(options_from(settings)) is engine_for(options_from(settings.model_copy()))
    other = settings.model_copy(update={"whisper_beam": 1})
    assert engine_for(options_from(other)) is not engine_for(options_from(settings))


def test_threads_default_to_the_cores_at_hand(settings: Settings) -> None:
    cores = len(os.sched_getaffinity(0))
    assert options_from(settings.model_copy(update={"whisper_threads": 0})).threads == cores


@pytest.mark.parametrize("formats", [("txt",), ("srt", "json"), ("vtt",)])
@pytest.mark.parametrize("hls", [True, False])
def test_only_the_formats_asked_for_are_seen(
    tmp_path: Path, settings: Settings, formats: tuple[TranscriptFormat, ...], hls: bool
) -> None:
    """J15. A stream gets its captions all the same."""
    task = SpeechTask(tmp_path / "task", settings, spec=JobSpec(hls=hls, transcript=TranscriptSpec(formats=formats)))
    write(task.fetch("speech.wav"), spoken("four_digits"))
    transcribe(task)
    seen = {output.name for output in task.made.values() if not output.intermediate}
    assert seen == {f"transcript.{kind}" for kind in formats}
    assert ("transcript.vtt" in task.made) == (hls or "vtt" in formats)


def test_the_times_of_words_may_be_left_out(tmp_path: Path, settings: Settings) -> None:
    task = SpeechTask(tmp_path / "task", settings, spec=JobSpec(transcript=TranscriptSpec(words=False)))
    write(task.fetch("speech.wav"), spoken("four_digits"))
    transcribe(task)
    assert "words" not in json.loads(task.text("transcript.json"))


def test_a_translation_is_english_and_says_so(tmp_path: Path, settings: Settings) -> None:
    spec = JobSpec(transcript=TranscriptSpec(task="translate"))
    task = SpeechTask(tmp_path / "task", settings, spec=spec)
    write(task.fetch("speech.wav"), spoken("four_digits"))
    result = transcribe(task)
    assert json.loads(task.text("transcript.json"))["task"] == "translate"
    assert result.result == {"language": "en"}
    assert result.transcript is not None
    assert result.transcript["task"] == "translate"
