"""A soak can be had again."""

from __future__ import annotations

from itertools import islice

from faults.troubles import TROUBLES, troubles


def test_a_seed_gives_the_same_faults_again() -> None:
    first, again, other = (list(islice(troubles(seed), 300)) for seed in (7, 7, 8))
    assert first == again
    assert first != other
    assert {trouble.name for trouble in first} == set(TROUBLES)
