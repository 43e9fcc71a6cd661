"""Words into cues, as subtitle practice asks.

At most two balanced lines of 42 characters (a wide character, such as a CJK one, counts for two), one to seven
seconds on screen, never two at once, two frames apart where the speech leaves room, broken where a sentence, a
clause or a breath ends. The least time on screen gives way where the next cue needs the room.

Source: Netflix Timed Text Style Guide, General Requirements; BBC Subtitle Guidelines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mill_transcriber.lines import LINE_WIDTH, break_lines, clean, hard_split, is_wide, width
from mill_transcriber.transcript import Segment, Word

LEAST_S = 1.0
MOST_S = 7.0
GAP_S = 0.08  # two frames at 25 a second
PAUSE_S = 0.3  # a breath: a good place to break
SILENCE_S = 2.0  # nothing is shown across a silence longer than this
_AHEAD = 2 * LINE_WIDTH + 2  # more words than fit a cue
_FLASH_S = 0.001  # what is left to a cue whose successor starts with it

SENTENCE_ENDS = ".!?…。！？｡"
CLAUSE_ENDS = ",;:—，、；：､"


@dataclass(frozen=True)
class Cue:
    """Text on screen from `start` to `end`, in seconds."""

    start: float
    end: float
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines as one."""
        return " ".join(self.lines)


def cues(segments: Iterable[Segment], duration_s: float | None = None) -> list[Cue]:
    """Everything said, cut into cues. None ends after `duration_s` unless its words start there."""
    words = list(_pieces(segments))
    groups = []
    position = 0
    while position < len(words):
        ahead = words[position : position + _AHEAD]
        groups.append(ahead[: _cut(ahead)])
        position += len(groups[-1])
    return list(_timed(groups, duration_s))


def _pieces(segments: Iterable[Segment]) -> Iterator[Word]:
    """Words that fit a line, with one leading space where they stand apart from the word before."""
    before = ""
    for segment in segments:
        for position, word in enumerate(segment.words):
            text = clean(word.text)
            if not text:
                continue
            apart = word.text[:1].isspace() or (position == 0 and not (is_wide(text[0]) and is_wide(before)))
            for piece in _split(replace(word, text=text)):
                yield replace(piece, text=f" {piece.text}") if apart and before else piece
                apart, before = False, piece.text[-1]


def _split(word: Word) -> Iterator[Word]:
    parts = hard_split(word.text)
    each = (word.end - word.start) / len(parts)
    for index, part in enumerate(parts):
        start = word.start + index * each
        yield replace(word, start=start, end=start + each, text=part)


def _cut(words: Sequence[Word]) -> int:
    """How many of `words` the next cue takes: the best break among those that fit."""
    best, best_score = 1, -1.0
    for length in range(1, len(words) + 1):
        if length > 1 and not _fits(words, length):
            break
        score = _break_quality(words, length) + _fill(words, length)
        if score >= best_score:
            best, best_score = length, score
        if _is_silence(words, length):
            break
    return best


def _fits(words: Sequence[Word], length: int) -> bool:
    shown = words[:length]
    return shown[-1].end - shown[0].start <= MOST_S and break_lines([word.text for word in shown]) is not None


def _fill(words: Sequence[Word], length: int) -> float:
    """From 0 to 1.5: how well a cue of `length` words uses its lines."""
    return 1.5 * min(width("".join(word.text for word in words[:length])) / (2 * LINE_WIDTH), 1.0)


def _break_quality(words: Sequence[Word], length: int) -> float:
    last = words[length - 1]
    if length == len(words) or _is_silence(words, length):
        return 3.0
    if last.text[-1] in SENTENCE_ENDS:
        return 1.6
    pause_s = words[length].start - last.end
    if pause_s >= PAUSE_S:
        return min(0.7 + pause_s, 1.6)
    return 0.8 if last.text[-1] in CLAUSE_ENDS else 0.0


def _is_silence(words: Sequence[Word], length: int) -> bool:
    return length < len(words) and words[length].start - words[length - 1].end >= SILENCE_S


def _timed(groups: Sequence[Sequence[Word]], duration_s: float | None) -> Iterator[Cue]:
    earliest = 0.0
    for index, group in enumerate(groups):
        start = max(round(group[0].start, 3), earliest)
        following = groups[index + 1][0].start if index + 1 < len(groups) else None
        end = _end(start, group[-1].end, following, duration_s)
        lines = break_lines([word.text for word in group])
        assert lines is not None, "a cue takes only words that fit"
        yield Cue(start, end, lines)
        earliest = end


def _end(start: float, spoken_until: float, following: float | None, duration_s: float | None) -> float:
    end = min(max(spoken_until, start + LEAST_S), start + MOST_S)
    if duration_s is not None:
        end = min(end, duration_s)
    if following is not None:
        # A gap is not worth words spoken, nor half of a cue's time.
        keeps_gap = following - GAP_S >= min(spoken_until, (start + end) / 2)
        end = min(end, following - GAP_S if keeps_gap else following)
    return round(max(end, start + _FLASH_S), 3)
