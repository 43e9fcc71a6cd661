from dataclasses import asdict
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mill_transcriber.transcript import Segment, Word, in_order

TIMES = st.floats(min_value=-5, max_value=50, allow_nan=False)
WORDS = st.lists(st.builds(Word, TIMES, TIMES, st.just(" a")), max_size=6)
SEGMENTS = st.lists(st.builds(Segment, start=TIMES, end=TIMES, text=st.just(" a a"), words=WORDS), max_size=6)


@given(SEGMENTS, st.floats(min_value=0, max_value=60))
def test_times_never_go_back_and_never_leave_the_sound(heard: list[Segment], duration_s: float) -> None:
    settled = list(in_order(heard, duration_s))
    edges = [edge for segment in settled for edge in (segment.start, segment.end)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= round(duration_s, 3) for edge in edges)


@given(SEGMENTS)
def test_words_stay_inside_their_segment_and_in_order(heard: list[Segment]) -> None:
    for segment in in_order(heard, 60.0):
        assert all(segment.start <= word.start <= word.end <= segment.end for word in segment.words)
        assert all(earlier.end <= later.start for earlier, later in pairwise(segment.words))


def test_words_that_could_not_be_aligned_share_their_segment_evenly() -> None:
    [segment] = in_order([Segment(start=1.0, end=3.0, text=" one two")], 10.0)
    assert [(word.text, word.start, word.end) for word in segment.words] == [(" one", 1.0, 2.0), (" two", 2.0, 3.0)]


def test_a_segment_survives_the_pipe() -> None:
    segment = Segment(start=1.0, end=2.0, text=" one", words=(Word(1.0, 2.0, " one", 0.5),), tokens=[7], seek=3)
    assert Segment.from_json(asdict(segment)) == segment
