"""A whole mill in one process, as the tests of `mill up` start it."""

from standalone.conftest import mill_up

__all__ = ["mill_up"]
