"""What a child said or a source claims of itself, made fit for the database.

Hostile files put NUL and broken Unicode into their metadata; PostgreSQL stores neither, nor is NaN JSON.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def storable_text(text: str, length: int | None = None) -> str:
    """The text without NUL, its lone surrogates replaced, cut to `length` characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:length]


def storable(value: Any) -> Any:
    """A JSON value that every database takes: see `storable_text`; what is not finite becomes null."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {storable_text(str(name)): storable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [storable(inner) for inner in value]
    return value
