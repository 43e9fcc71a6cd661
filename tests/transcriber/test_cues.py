from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mill_transcriber.cues import GAP_S, LEAST_S, MOST_S, Cue, cues
from mill_transcriber.lines import LINE_WIDTH, clean, width
from mill_transcriber.transcript import Segment, Word


def said(text: str, *, start: float = 0.0, each_s: float = 0.4) -> Segment:
    """A segment of words of `each_s` seconds, one after the other."""
    words = [
        Word(start + index * each_s, start + (index + 1) * each_s, f" {word}")
        for index, word in enumerate(text.split())
    ]
    return Segment(start=start, end=words[-1].end, text=f" {text}", words=words)


def spoken_in_cells(characters: str, *, each_s: float = 0.2) -> Segment:
    """A segment of a language without spaces, one word a character."""
    words = [Word(index * each_s, (index + 1) * each_s, char) for index, char in enumerate(characters)]
    return Segment(start=0.0, end=words[-1].end, text=characters, words=words)


LETTERS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
STEPS = st.floats(min_value=0, max_value=20, allow_nan=False)


@st.composite
def segments(draw: st.DrawFn) -> list[Segment]:
    """Segments with any words at any times that do not go back."""
    clock, made = 0.0, []
    for texts in draw(st.lists(st.lists(LETTERS, max_size=30), max_size=5)):
        begun, words = clock, []
        for text in texts:
            start = clock + draw(STEPS | st.just(0.0))
            clock = start + draw(STEPS | st.just(0.0))
            words.append(Word(start, clock, draw(st.sampled_from(["", " "])) + text))
        made.append(Segment(start=begun, end=clock, text="".join(word.text for word in words), words=words))
    return made


def letters(made: Sequence[Segment]) -> str:
    return "".join(clean(word.text) for segment in made for word in segment.words).replace(" ", "")


@given(segments())
def test_any_words_become_cues_of_two_short_lines(made: list[Segment]) -> None:
    for cue in cues(made):
        assert 1 <= len(cue.lines) <= 2
        assert all(0 < len(line) <= width(line) <= LINE_WIDTH for line in cue.lines)


@given(segments())
def test_every_word_is_kept_in_its_order(made: list[Segment]) -> None:
    assert "".join(line for cue in cues(made) for line in cue.lines).replace(" ", "") == letters(made)


@given(segments())
def test_cues_never_overlap_and_never_stay_longer_than_seven_seconds(made: list[Segment]) -> None:
    shown = cues(made)
    assert all(0 < cue.end - cue.start <= MOST_S + 1e-6 for cue in shown)
    assert all(earlier.end <= later.start for earlier, later in pairwise(shown))


@given(segments())
def test_a_cue_shorter_than_a_second_makes_room_for_the_next(made: list[Segment]) -> None:
    for cue, following in pairwise(cues(made)):
        assert cue.end - cue.start >= LEAST_S - 1e-6 or following.start - cue.end <= GAP_S + 2e-3


@given(segments(), st.floats(min_value=0, max_value=2000))
def test_nothing_is_shown_after_the_end_but_words_that_start_there(made: list[Segment], duration_s: float) -> None:
    for cue in cues(made, duration_s):
        assert cue.end <= max(duration_s, cue.start) + 2e-3


def test_lines_are_balanced() -> None:
    [cue] = cues([said("the quick brown fox jumps over the lazy dog at noon")])
    assert cue.lines == ("the quick brown fox jumps", "over the lazy dog at noon")


def test_a_cue_ends_with_its_sentence() -> None:
    shown = cues([said("That was the first thing he said. Then he went out into the rain and did not come back.")])
    assert shown[0].text == "That was the first thing he said."
    assert shown[1].text.startswith("Then he went out")


def test_a_line_ends_with_its_clause() -> None:
    [cue] = cues([said("When the rain had stopped, they all went home to eat")])
    assert cue.lines == ("When the rain had stopped,", "they all went home to eat")


def test_a_cue_ends_before_a_silence() -> None:
    assert [cue.text for cue in cues([said("one two"), said("three four", start=5.0)])] == ["one two", "three four"]


def test_two_frames_are_left_between_cues_where_words_leave_them() -> None:
    sentence = "one two three four five six seven eight nine ten."
    first, second = cues([said(sentence), said(sentence, start=4.1)])
    assert second.start - first.end >= GAP_S - 1e-9
    assert first.end >= 4.0


def test_a_single_word_stays_for_a_second() -> None:
    assert cues([said("yes", each_s=0.2)], 10.0) == [Cue(0.0, 1.0, ("yes",))]


def test_a_single_word_at_the_end_does_not_outlast_the_sound() -> None:
    assert cues([said("yes", each_s=0.2)], 0.5) == [Cue(0.0, 0.5, ("yes",))]


def test_a_word_longer_than_a_line_is_split() -> None:
    [cue] = cues([said("x" * 60, each_s=3.0)])
    assert cue.lines == ("x" * 42, "x" * 18)


def test_wide_characters_count_twice_and_need_no_spaces() -> None:
    first, second = cues([spoken_in_cells("春眠不覚暁処処聞啼鳥夜来風雨声花落知多少" * 3)])
    assert all(len(line) <= 21 for cue in (first, second) for line in cue.lines)
    assert " " not in first.text.replace(" ", "", 1)


def test_sentences_without_a_leading_space_are_still_apart() -> None:
    close = [Word(0.0, 0.4, "Yes."), Word(0.4, 0.8, "No.")]
    made = [Segment(start=word.start, end=word.end, text=word.text, words=[word]) for word in close]
    assert " ".join(cue.text for cue in cues(made)) == "Yes. No."


def test_no_words_give_no_cues() -> None:
    assert cues([]) == []
    assert cues([Segment(start=0.0, end=1.0, text=" ", words=[Word(0.0, 1.0, " \n")])]) == []
