from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mill_transcoder.rates import choose_rate, is_variable, parse_rate

RATES = st.none() | st.fractions(Fraction(1, 100), 100_000)


@given(RATES, RATES)
def test_the_rate_is_positive_and_at_most_sixty(average: Fraction | None, base: Fraction | None) -> None:
    assert 0 < choose_rate(average, base) <= 60


@pytest.mark.parametrize(
    ("average", "base", "expected"),
    [
        ("25/1", "25/1", "25"),
        ("25/2", "25/2", "25/2"),
        ("30000/1001", "30000/1001", "30000/1001"),
        ("60000/1001", "60000/1001", "60000/1001"),
        ("120/1", "120/1", "60"),
        ("120000/1001", "120000/1001", "60000/1001"),
        ("144/1", "144/1", "48"),
        ("100/1", "100/1", "50"),
        ("21/1", "30/1", "30"),  # a phone in the dark
        ("2967/100", "90000/1", "30000/1001"),
        ("5/1", "1000/1", "24000/1001"),
        ("0/0", "0/0", "25"),
        ("0/0", "30/1", "30"),
        (None, None, "25"),
    ],
)
def test_the_natural_rate_of(average: str | None, base: str | None, expected: str) -> None:
    assert choose_rate(parse_rate(average), parse_rate(base)) == Fraction(expected)


@pytest.mark.parametrize("text", ["0/0", "0/1", "25/0", "", "N/A", None, "-1/1"])
def test_a_rate_may_be_unknown(text: str | None) -> None:
    assert parse_rate(text) is None


def test_a_rate_is_variable_when_average_and_base_differ() -> None:
    assert is_variable(Fraction(29), Fraction(30))
    assert not is_variable(Fraction(2997, 100), Fraction(30000, 1001))
    assert is_variable(None, Fraction(30))
