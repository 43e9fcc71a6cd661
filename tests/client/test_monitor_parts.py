"""What the monitor's screen is made of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mill_client.cli.monitor.keys import _names
from mill_client.cli.monitor.lines import allot, fit, window
from mill_client.cli.monitor.marks import Marks

UTF8, ASCII = Marks.for_encoding("utf-8"), Marks.for_encoding("iso-8859-1")


@pytest.mark.parametrize(
    ("typed", "pressed"),
    [
        (b"q", ["q"]),
        (b"\x1b[A\x1b[Bp", ["up", "down", "p"]),
        (b"jk", ["down", "up"]),
        (b"\x1b[5~", ["page up"]),
        (b"\x1b[15~", []),  # F5 is no key of ours, and none of its characters is one
        (b"\x1b", []),
        (b"\x04", ["q"]),
    ],
)
def test_what_is_typed_is_read_as_keys(typed: bytes, pressed: list[str]) -> None:
    assert _names(typed) == pressed


def test_a_sparkline_shows_the_most_and_hides_nothing_that_was() -> None:
    assert UTF8.sparkline([0, 1, 1000]) == " ▁█"
    assert UTF8.sparkline([0, 0]) == "  "
    assert UTF8.sparkline([]) == ""


@given(st.floats(0, 1), st.integers(1, 40))
def test_a_bar_is_full_only_at_the_end(part: float, width: int) -> None:
    bar = UTF8.bar(part, width)
    assert len(bar) == width
    assert (UTF8.empty not in bar) == (part == 1)


def test_a_terminal_without_unicode_gets_ascii() -> None:
    drawn = ASCII.bar(0.5, 8) + ASCII.sparkline(range(9)) + ASCII.pointer
    assert drawn.isascii()
    assert ASCII.bar(0.5, 8) == "####----"


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6), st.integers(0, 60))
def test_room_is_shared_and_never_wasted(wants: list[int], room: int) -> None:
    given_ = allot(wants, room)
    assert sum(given_) == min(room, sum(wants))
    assert all(got <= want for got, want in zip(given_, wants, strict=True))
    assert all(got or not want for got, want in zip(given_, wants, strict=True)) or room < len(wants)


@given(st.integers(1, 50), st.integers(1, 50), st.data())
def test_the_chosen_line_is_among_those_shown(count: int, shown: int, data: st.DataObject) -> None:
    shown = min(shown, count)
    chosen = data.draw(st.integers(0, count - 1))
    found = window(count, shown, chosen)
    assert chosen in found
    assert (len(found), found.start >= 0, found.stop <= count) == (shown, True, True)


@given(st.text(), st.text(), st.integers(12, 120))
def test_a_line_has_its_width_whatever_is_in_it(name: str, state: str, total: int) -> None:
    assert cell_len(fit([name, state], [0, -8], total)) == total
