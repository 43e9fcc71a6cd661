"""How long a retry waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mill_common.queue import Policy


@given(
    attempts=st.integers(1, 10_000),
    base=st.floats(0.01, 1000, allow_nan=False),
    cap=st.floats(0.01, 10_000, allow_nan=False),
)
def test_the_delay_before_a_retry_doubles_up_to_its_cap(attempts: int, base: float, cap: float) -> None:
    policy = Policy(retry_base_s=base, retry_cap_s=cap)
    ceiling = min(cap, base * 2.0 ** min(attempts - 1, 100))
    assert ceiling / 2 <= policy.backoff_s(attempts) <= ceiling


def test_delays_are_spread() -> None:
    assert len({Policy().backoff_s(3) for _ in range(20)}) > 10
