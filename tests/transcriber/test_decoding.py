from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_whisper import BatchedInferencePipeline
from transcriber.sounds import RATE, Sound, noise, spoken

from mill_transcriber.decoding import Decoder, UnknownLanguage, _end_every_text, passes
from mill_transcriber.loading import load
from mill_transcriber.models import locate
from mill_transcriber.options import EngineOptions
from mill_transcriber.speech import Chunk, Span
from mill_transcriber.transcript import Segment


@pytest.fixture(scope="session")
def model() -> Any:
    return load(EngineOptions(model=locate("tiny-digits"), name="tiny-digits", threads=1)).model


def chunk(sound: Sound, *, start_s: float = 0.0) -> Chunk:
    return Chunk([Span(int(start_s * RATE), sound)])


def buzz(seconds: float) -> Sound:
    """A modulated tone that has the rhythm of speech and none of its words."""
    t = np.arange(int(seconds * RATE)) / RATE
    rhythm = (1 + np.sin(2 * np.pi * 4 * t)) * (1 + 0.5 * np.sin(2 * np.pi * 700 * t))
    return (0.3 * np.sin(2 * np.pi * 150 * t) * rhythm).astype(np.float32)


def test_chunks_of_a_batch_keep_their_words_and_places(model: Any) -> None:
    decoder = Decoder(model, language=None, beam=5)
    heard = decoder.decode([chunk(spoken("four_digits"), start_s=100), chunk(spoken("five_digits"), start_s=200)])
    assert [segment.text.split() for segment in heard] == [
        ["three", "one", "four", "one"],
        ["nine", "zero", "two", "six", "five"],
    ]
    assert 100 <= heard[0].start < heard[0].end <= 103.1
    assert 200 <= heard[1].start < heard[1].end <= 203.6
    assert decoder.language == "en"


def test_a_chunk_that_fails_the_checks_is_decoded_again_and_dropped_if_it_still_fails(model: Any) -> None:
    decoder = Decoder(model, language=None, beam=5)
    batched, _ = decoder._batched([chunk(buzz(8))])
    assert not passes(batched[0])
    assert decoder.decode([chunk(buzz(8))]) == []
    assert decoder.language is None


def test_a_failing_chunk_does_not_take_its_neighbours_along(model: Any) -> None:
    heard = Decoder(model, language=None, beam=5).decode([chunk(buzz(8)), chunk(spoken("four_digits"), start_s=50)])
    assert [segment.text.split() for segment in heard] == [["three", "one", "four", "one"]]
    assert heard[0].start >= 50


def test_noise_in_place_of_speech_has_no_words(model: Any) -> None:
    assert Decoder(model, language=None, beam=5).decode([chunk(noise(5)), chunk(np.zeros(5 * RATE, np.float32))]) == []


def test_a_language_the_model_does_not_know_is_refused(model: Any) -> None:
    with pytest.raises(UnknownLanguage, match="it knows en"):
        Decoder(model, language="fr", beam=5)


def test_text_without_a_last_timestamp_is_kept(model: Any) -> None:
    decoder = Decoder(model, language=None, beam=5)
    whole = BatchedInferencePipeline(model).generate_segment_batched

    def cut_off(features: Any, tokenizer: Any, options: Any) -> Any:
        """The model's own text, as if it had run out of room in its second sentence."""
        encoded, outputs = whole(features, tokenizer, options)
        begin = tokenizer.timestamp_begin
        for output in outputs:
            text = [token for token in output["tokens"] if token < begin]
            output["tokens"] = [begin, *text[:2], begin + 60, begin + 60, *text[2:]]
        return encoded, outputs

    decoder._pipeline.generate_segment_batched = cut_off
    assert heard(decoder) == ["three", "one"]
    _end_every_text(decoder._pipeline)
    assert heard(decoder) == ["three", "one", "four", "one"]


def heard(decoder: Decoder) -> list[str]:
    return "".join(segment.text for segment in decoder.decode([chunk(spoken("four_digits"))])).split()


SURE = Segment(start=0, end=1, text=" one two", avg_logprob=-0.2, compression_ratio=1.1, no_speech_prob=0.1)


@pytest.mark.parametrize(
    ("facts", "believed"),
    [
        ({}, True),
        ({"compression_ratio": 2.5}, False),
        ({"avg_logprob": -1.1}, False),
        ({"no_speech_prob": 0.7}, False),
        ({"text": " ...", "avg_logprob": -3.0}, True),  # no words, so nothing to doubt
    ],
)
def test_text_is_believed_as_it_is_if_it_passes_every_check(facts: dict[str, Any], believed: bool) -> None:
    assert passes([SURE, Segment(**{**vars(SURE), **facts})]) is believed


def test_the_same_sentence_over_and_over_is_not_believed() -> None:
    assert not passes([Segment(**{**vars(SURE), "text": " Thank you."})] * 20)


def test_a_model_in_the_cache_is_loaded_by_name_without_a_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "models--Systran--faster-whisper-tiny"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0" * 40)
    for file in Path(locate("tiny-digits")).iterdir():
        (snapshot / file.name).symlink_to(file)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    loaded = load(EngineOptions(model="tiny", name="tiny", device="cpu", threads=1))
    assert loaded.model.supported_languages == ["en"]
