"""What no database takes is mended."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mill_common.queue.text import storable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**31), 2**31) | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_what_is_storable_stays_as_it_is(value: object) -> None:
    once = storable(value)
    assert storable(once) == once
    assert "\\u0000" not in repr(once)
