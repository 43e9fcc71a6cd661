"""The base of every answer."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict


class Word(StrEnum):
    """One of some words, to which a newer server may add."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        word = str.__new__(cls, value)
        word._name_, word._value_ = value.upper(), value
        return word


class Model(BaseModel):
    """The base of every answer."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)
