"""The base of every answer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """The base of every answer."""

    model_config = ConfigDict(frozen=True, extra="allow", defer_build=True)
