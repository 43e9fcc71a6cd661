import json
from itertools import pairwise

import pytest
import srt as srt_parser
import webvtt
from hypothesis import given
from hypothesis import strategies as st

from mill_transcriber.cues import Cue
from mill_transcriber.lines import clean
from mill_transcriber.transcript import Segment, Transcript, Word
from mill_transcriber.writers import documents, srt, vtt

LINE = st.text(st.characters(exclude_categories=["Cs"]), max_size=42).map(clean).filter(bool)


@st.composite
def captions(draw: st.DrawFn) -> list[Cue]:
    """Cues at any milliseconds of a hundred hours, without overlap."""
    times = sorted(draw(st.sets(st.integers(0, 360_000_000), min_size=2, max_size=12)))
    return [
        Cue(start / 1000, end / 1000, tuple(draw(st.lists(LINE, min_size=1, max_size=2))))
        for start, end in list(pairwise(times))[::2]
    ]


@given(captions())
def test_a_parser_reads_the_srt_back(shown: list[Cue]) -> None:
    read = list(srt_parser.parse(srt(shown)))
    assert [cue.index for cue in read] == list(range(1, len(shown) + 1))
    for cue, written in zip(read, shown, strict=True):
        assert cue.start.total_seconds() == pytest.approx(written.start, abs=1e-6)
        assert cue.end.total_seconds() == pytest.approx(written.end, abs=1e-6)
        assert [len(line) for line in cue.content.split("\n")] == [len(line) for line in written.lines]


@given(captions())
def test_a_parser_reads_the_vtt_back(shown: list[Cue]) -> None:
    read = list(webvtt.from_string(vtt(shown)).captions)
    for cue, written in zip(read, shown, strict=True):
        assert cue.start_in_seconds == int(written.start)
        assert cue.end_in_seconds == int(written.end)
        assert cue.raw_text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == "\n".join(written.lines)


def test_vtt_escapes_what_would_be_markup() -> None:
    written = vtt([Cue(0.0, 1.5, ("a <b> & c", "--> d"))])
    assert written == "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na &lt;b&gt; &amp; c\n--&gt; d\n"


def test_srt_holds_no_markup_and_no_second_arrow() -> None:
    written = srt([Cue(3661.0, 3662.25, ("<i>a</i> --> {\\an8}b",))])
    assert written == "1\n01:01:01,000 --> 01:01:02,250\n‹i›a‹/i› --› (\\an8)b\n\n"


def test_json_is_a_superset_of_verbose_json() -> None:
    words = (Word(0.5, 0.9, " three", 0.75), Word(0.9, 1.4, " four"))
    heard = Segment(start=0.5, end=1.4, text=" three four", words=words, tokens=(1, 2), avg_logprob=-0.25)
    transcript = Transcript(segments=(heard,), duration_s=2.0, model="tiny-digits", language="en")
    facts = json.loads({document.name: document.text for document in documents(transcript)}["transcript.json"])
    assert (facts["task"], facts["language"], facts["duration"], facts["text"]) == (
        "transcribe",
        "en",
        2.0,
        "three four",
    )
    assert facts["words"][0] == {"word": "three", "start": 0.5, "end": 0.9, "probability": 0.75}
    assert facts["segments"] == [
        {
            "id": 0,
            "seek": 0,
            "start": 0.5,
            "end": 1.4,
            "text": " three four",
            "tokens": [1, 2],
            "temperature": 0.0,
            "avg_logprob": -0.25,
            "compression_ratio": 1.0,
            "no_speech_prob": 0.0,
        }
    ]


def test_where_nobody_speaks_the_files_are_empty_but_well_formed() -> None:
    texts = {document.name: document.text for document in documents(Transcript(segments=(), duration_s=5.0, model="m"))}
    assert (texts["transcript.txt"], texts["transcript.srt"], texts["transcript.vtt"]) == ("", "", "WEBVTT\n")
    facts = json.loads(texts["transcript.json"])
    assert (facts["language"], facts["text"], facts["segments"], facts["words"]) == (None, "", [], [])
