from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mill_transcoder.described import display_size
from mill_transcoder.ladder import build_ladder

SIDES = st.integers(2, 8192)
RUNGS = st.lists(st.integers(144, 2160), min_size=1, max_size=8)


def sizes(width: int, height: int, rungs: list[int]) -> dict[str, tuple[int, int]]:
    return {rung.name: (rung.width, rung.height) for rung in build_ladder(width, height, rungs)}


@given(SIDES, SIDES, RUNGS)
def test_every_rung_is_even_and_never_above_the_source(width: int, height: int, rungs: list[int]) -> None:
    for rung in build_ladder(width, height, rungs):
        assert rung.width % 2 == 0
        assert rung.height % 2 == 0
        assert 2 <= rung.width <= width
        assert 2 <= rung.height <= height


@given(SIDES, SIDES, RUNGS)
def test_rungs_ascend_and_their_names_differ(width: int, height: int, rungs: list[int]) -> None:
    ladder = build_ladder(width, height, rungs)
    assert len({rung.name for rung in ladder}) == len(ladder) >= 1
    assert list(ladder) == sorted(ladder, key=lambda rung: rung.width * rung.height)


@given(SIDES, SIDES, RUNGS)
def test_a_rung_keeps_the_shape_to_within_rounding(width: int, height: int, rungs: list[int]) -> None:
    for rung in build_ladder(width, height, rungs):
        scale = Fraction(int(rung.name[:-1]), min(width, height))
        assert abs(rung.width - width * scale) < 2
        assert abs(rung.height - height * scale) < 2


@given(SIDES, SIDES, RUNGS)
def test_turning_the_source_turns_the_rungs(width: int, height: int, rungs: list[int]) -> None:
    upright = [(rung.height, rung.width) for rung in build_ladder(height, width, rungs)]
    assert [(rung.width, rung.height) for rung in build_ladder(width, height, rungs)] == upright


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ((1920, 1080), {"360p": (640, 360), "720p": (1280, 720)}),
        ((1080, 1920), {"360p": (360, 640), "720p": (720, 1280)}),
        ((1280, 720), {"360p": (640, 360), "720p": (1280, 720)}),
        ((960, 540), {"360p": (640, 360)}),
        ((641, 361), {"360p": (640, 360)}),
        ((320, 240), {"240p": (320, 240)}),
        ((427, 241), {"241p": (426, 240)}),
        ((2048, 858), {"360p": (860, 360), "720p": (1718, 720)}),
    ],
)
def test_the_default_ladder_for(source: tuple[int, int], expected: dict[str, tuple[int, int]]) -> None:
    assert sizes(*source, [720, 360]) == expected


def test_the_same_rung_twice_is_one() -> None:
    assert sizes(1920, 1080, [360, 360]) == {"360p": (640, 360)}


@pytest.mark.parametrize(
    ("aspect", "rotation", "expected"),
    [("1", 0, (720, 576)), ("64/45", 0, (1024, 576)), ("64/45", 90, (576, 1024)), ("1", 180, (720, 576))],
)
def test_the_size_on_screen_counts_aspect_and_rotation(aspect: str, rotation: int, expected: tuple[int, int]) -> None:
    assert display_size(720, 576, Fraction(aspect), rotation) == expected
