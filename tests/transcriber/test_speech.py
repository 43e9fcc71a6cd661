import wave
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from transcriber.sounds import RATE, digits, noise, silence, spoken, write

from mill_transcriber.speech import CHUNK_S, Chunk, NotSpeech, Recording, Span


def chunks(path: Path) -> list[Chunk]:
    return list(Recording(path).chunks(lambda: None))


def spans(path: Path) -> list[Span]:
    return [span for chunk in chunks(path) for span in chunk.spans]


def test_speech_is_found_where_it_is(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", silence(5), spoken("four_digits"), silence(5))
    found = spans(path)
    assert 4.0 <= found[0].start / RATE <= 5.2
    assert 7.0 <= found[-1].end / RATE <= 8.9


def test_chunks_hold_at_most_what_the_model_hears_at_once(tmp_path: Path) -> None:
    found = chunks(write(tmp_path / "a.wav", digits(100)[0]))
    assert len(found) >= 3
    assert all(len(chunk.samples) <= CHUNK_S * RATE for chunk in found)


def test_spans_keep_the_samples_of_the_file_across_windows(tmp_path: Path) -> None:
    sound = digits(250)[0]
    path = write(tmp_path / "a.wav", sound)
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(len(sound)), np.int16)
    found = spans(path)
    for span in found:
        assert np.array_equal(np.round(span.samples * 32768), samples[span.start : span.end])
    assert all(earlier.end <= later.start for earlier, later in pairwise(found))
    # No pause between the recordings is longer than two seconds, so speech lost at a window's edge would show.
    assert all(later.start - earlier.end <= 2 * RATE for earlier, later in pairwise(found))
    assert found[-1].end >= len(sound) - 2 * RATE


def test_speech_across_the_edge_of_a_window_stays_whole(tmp_path: Path) -> None:
    sound = spoken("six_digits")
    path = write(tmp_path / "a.wav", silence(120 - len(sound) / RATE / 2), sound, silence(20))
    found = spans(path)
    covered = sum(len(span.samples) for span in found)
    assert covered >= 0.9 * len(sound)
    assert all(later.start == earlier.end for earlier, later in pairwise(found) if earlier.end < 121 * RATE)


def test_long_silence_holds_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", spoken("four_digits"), silence(400), noise(5))
    recording = Recording(path)
    [chunk] = recording.chunks(lambda: None)
    assert chunk.end_s < 5
    assert recording.duration_s == pytest.approx(recording.expected_s)


def test_a_time_in_closed_up_speech_is_placed_in_the_file() -> None:
    first, second = Span(RATE, np.ones(RATE, np.float32)), Span(5 * RATE, np.ones(2 * RATE, np.float32))
    chunk = Chunk([first, second])
    assert chunk.place(0.25, 0.75) == (1.25, 1.75)
    assert chunk.place(1.5, 2.5) == (5.5, 6.5)
    assert chunk.place(0.9, 1.4) == (5.0, 5.4)
    assert chunk.place(2.5, 9.0) == (6.5, 7.0)


def test_adjoining_spans_place_a_word_across_their_border() -> None:
    chunk = Chunk([Span(RATE, np.ones(RATE, np.float32)), Span(2 * RATE, np.ones(RATE, np.float32))])
    assert chunk.place(0.8, 1.4) == (1.8, 2.4)


def test_a_header_that_promises_too_much_is_not_believed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", digits(20)[0])
    path.write_bytes(path.read_bytes()[: 44 + 10 * RATE * 2])
    recording = Recording(path)
    assert list(recording.chunks(lambda: None))
    assert recording.expected_s == recording.duration_s == 10.0


def test_sound_of_another_kind_is_refused(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((2, 2, 44_100, 0, "NONE", "not compressed"))
        file.writeframes(b"\0" * 4 * 1000)
    with pytest.raises(NotSpeech, match="16-bit mono"):
        chunks(tmp_path / "a.wav")
