from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mill_client._retries import Repeat, Retries, retry_after_s


def response(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, headers={name.replace("_", "-"): text for name, text in headers.items()})


@given(attempt=st.integers(0, 40))
def test_pauses_grow_up_to_a_cap_and_half_of_each_is_left_to_chance(attempt: int) -> None:
    full_s = min(8.0, 0.25 * 2**attempt)
    shortest = Retries(uniform=lambda low, _high: low).backoff_s(attempt)
    longest = Retries(uniform=lambda _low, high: high).backoff_s(attempt)
    assert (shortest, longest) == (full_s / 2, full_s)


def test_the_server_is_given_at_least_the_time_it_asks_for() -> None:
    delay_s = Retries().after_response(0, response(503, Retry_After="7"), Repeat.SAFE)
    assert delay_s is not None
    assert 7 <= delay_s <= 7.25


def test_a_date_to_come_back_is_understood() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    asked_s = retry_after_s({"Retry-After": soon})
    assert asked_s is not None
    assert 0 < asked_s <= 30


def test_a_date_gone_by_asks_for_no_time() -> None:
    assert retry_after_s({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0


@pytest.mark.parametrize(
    "text", ["", "soon", "-5", "1.5", "²", "Wed, 99 Oct 2015", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"]
)
def test_what_cannot_be_read_asks_for_nothing(text: str) -> None:
    assert retry_after_s({"Retry-After": text}) is None


@pytest.mark.parametrize("status", [200, 400, 401, 404, 409, 422, 500, 501])
def test_other_answers_are_final(status: int) -> None:
    assert Retries().after_response(0, response(status), Repeat.SAFE) is None


def test_a_question_about_readiness_is_asked_once() -> None:
    retries = Retries()
    assert retries.after_response(0, response(503), Repeat.NEVER) is None
    assert retries.after_failure(0, httpx.ConnectError("refused"), Repeat.NEVER) is None


def test_a_request_that_never_left_is_repeated_whatever_it_does() -> None:
    assert Retries().after_failure(0, httpx.ConnectError("refused"), Repeat.UNTAKEN) is not None


def test_a_request_that_may_have_arrived_is_repeated_only_if_that_is_safe() -> None:
    broken = httpx.ReadError("reset")
    assert Retries().after_failure(0, broken, Repeat.UNTAKEN) is None
    assert Retries().after_failure(0, broken, Repeat.SAFE) is not None


def test_a_request_that_is_wrong_in_itself_is_not_repeated() -> None:
    assert Retries().after_failure(0, httpx.LocalProtocolError("no such header"), Repeat.SAFE) is None
