"""Transactions."""

from __future__ import annotations

import pytest
from common.desk import Desk

from mill_common.models import Owner


def test_a_write_that_raises_leaves_nothing(desk: Desk) -> None:
    with pytest.raises(ZeroDivisionError), desk.database.write() as session:
        session.add(Owner(id="ada"))
        session.flush()
        raise ZeroDivisionError
    assert desk.count(Owner) == 0
