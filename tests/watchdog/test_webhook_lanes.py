"""How many requests each endpoint may have under way."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from mill_watchdog.webhooks.lanes import QUICK_S, Lanes

A, B = UUID(int=1), UUID(int=2)


def _known(lanes: Lanes, endpoint: UUID, *, took_s: float, succeeded: bool = True, times: int = 1) -> None:
    for _ in range(times):
        lanes.take(endpoint, 1)
        lanes.learn(endpoint, took_s=took_s, succeeded=succeeded)
        lanes.leave(endpoint)


def test_a_stranger_gets_one_request_and_more_with_every_quick_success() -> None:
    lanes = Lanes(64)
    assert lanes.room(A) == 1
    for rooms in (2, 3, 4):
        _known(lanes, A, took_s=0.1)
        assert lanes.room(A) == rooms
    _known(lanes, A, took_s=0.1, times=20)
    assert lanes.room(A) == 8


@pytest.mark.parametrize("took_s", [0.1, 15.0])
def test_who_fails_gets_one_again(took_s: float) -> None:
    lanes = Lanes(64)
    _known(lanes, A, took_s=0.1, times=5)
    _known(lanes, A, took_s=took_s, succeeded=False)
    assert lanes.room(A) == 1


def test_who_is_slow_gets_half_as_many() -> None:
    lanes = Lanes(64)
    _known(lanes, A, took_s=0.1, times=5)
    assert lanes.room(A) == 6
    _known(lanes, A, took_s=QUICK_S * 2)
    assert lanes.room(A) == 3


def _seen(lanes: Lanes, first: int, **how: Any) -> list[UUID]:
    """Eight endpoints that went like this."""
    found = [UUID(int=first + number) for number in range(8)]
    for endpoint in found:
        if how:
            _known(lanes, endpoint, **how)
    return found


def test_each_kind_has_a_share_and_the_rest_is_for_those_that_answer() -> None:
    lanes = Lanes(16)
    hanging = _seen(lanes, 10, took_s=15.0, succeeded=False)
    slow = _seen(lanes, 20, took_s=15.0)
    quick = _seen(lanes, 30, took_s=0.1)
    strangers = _seen(lanes, 40)
    for endpoint, left in zip((hanging, slow, strangers), (14, 10, 2), strict=True):
        for each in endpoint:
            lanes.take(each, lanes.room(each))
        assert (lanes.free_threads, lanes.room(endpoint[7]), lanes.room(quick[0])) == (left, 0, 2)


def test_room_is_given_back_as_it_was_taken_even_if_the_pace_changed_between() -> None:
    lanes = Lanes(8)
    for took_s in (15.0, 0.1, 15.0, 0.1):
        _known(lanes, A, took_s=took_s)
    strangers = [UUID(int=30 + number) for number in range(8)]
    for endpoint in strangers:
        lanes.take(endpoint, lanes.room(endpoint))
    for endpoint in strangers[:4]:
        lanes.leave(endpoint)
    assert (lanes.free_threads, lanes.room(strangers[7])) == (8, 1)


def test_nobody_gets_more_than_there_are_threads() -> None:
    lanes = Lanes(4)
    _known(lanes, A, took_s=0.1)
    _known(lanes, B, took_s=0.1)
    lanes.take(B, 4)
    assert lanes.room(A) == 0
