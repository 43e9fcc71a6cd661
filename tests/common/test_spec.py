"""What a client may ask."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mill_common.spec import JobSpec


def test_a_spec_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValidationError):
        JobSpec.model_validate({"renditions": [360], "watermark": True})
    assert JobSpec.model_validate({"transcript": None}).transcript is None
