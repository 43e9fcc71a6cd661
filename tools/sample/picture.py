"""The picture, as an ffmpeg filter graph: slow colours, a game of life, and each digit as it is said."""

from __future__ import annotations

from collections.abc import Sequence

from tools.sample.narration import Shown
from tools.speech_model.phrases import WORDS

WIDTH, HEIGHT, RATE = 1280, 720, 25

# The segments lit for each digit, from zero: a is the top, then clockwise to f, and g is the middle.
_LIT = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")
_LEFT, _TOP, _LONG, _THICK = 880, 150, 220, 36
_BOXES = {
    "a": (0, 0, 1, 0),
    "b": (1, 0, 0, 1),
    "c": (1, 1, 0, 1),
    "d": (0, 2, 1, 0),
    "e": (0, 1, 0, 1),
    "f": (0, 0, 0, 1),
    "g": (0, 1, 1, 0),
}


def graph(shown: Sequence[Shown], duration_s: float) -> str:
    """A filter graph without inputs; its picture leaves at the label `picture`."""
    return ";".join(
        [
            f"gradients=size={WIDTH}x{HEIGHT}:rate={RATE}:duration={duration_s:.3f}:seed=7:speed=0.008:nb_colors=4"
            ":c0=0x0b1d3a:c1=0x14506b:c2=0x3a1f5d:c3=0x0a2e2a[colours]",
            f"life=size=40x30:rate={RATE / 5}:random_seed=11:ratio=0.25:mold=12:life_color=0xffd166"
            f":death_color=0x5a3d8a:mold_color=0x0b1d3a,scale=640:480:flags=neighbor,format=rgba,colorchannelmixer=aa=0.85"
            f",fps={RATE}[cells]",
            f"color=0xef476f:size={WIDTH}x12:rate={RATE}[bar]",
            f"[colours][cells]overlay=x='110+40*sin(t)':y=120:shortest=1,{_panel()},{_segments(shown)}[scene]",
            f"[scene][bar]overlay=x='-w+w*t/{duration_s:.3f}':y={HEIGHT - 24}:shortest=1,format=yuv420p[picture]",
        ]
    )


def _panel() -> str:
    boxes = [_box(name, "0xffffff@0.08") for name in _BOXES]
    return ",".join([f"drawbox=x={_LEFT - 60}:y=90:w=340:h=524:color=0x000000@0.45:t=fill", *boxes])


def _segments(shown: Sequence[Shown]) -> str:
    return ",".join(f"{_box(name, '0x06d6a0')}:enable='{_times(name, shown)}'" for name in _BOXES)


def _times(segment: str, shown: Sequence[Shown]) -> str:
    lit = [one for one in shown if segment in _LIT[WORDS.index(one.digit)]]
    return "+".join(f"between(t,{one.start_s:.2f},{one.end_s:.2f})" for one in lit) or "0"


def _box(segment: str, color: str) -> str:
    column, line, across, down = _BOXES[segment]
    x = _LEFT + column * (_LONG - _THICK)
    y = _TOP + line * (_LONG - _THICK)
    width, height = (_LONG if across else _THICK), (_LONG if down else _THICK)
    return f"drawbox=x={x}:y={y}:w={width}:h={height}:color={color}:t=fill"
