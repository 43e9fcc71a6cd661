"""A call of the HTTP API as a value, so that a blocking and an async transport can send the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx

from .._retries import Repeat
from ..models import Model

T = TypeVar("T")
M = TypeVar("M", bound=Model)
V1 = "/api/v1"
Params = Mapping[str, Any]


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request and how its answer is read. `content` makes a fresh body for each attempt."""

    method: str
    path: str
    parse: Callable[[httpx.Response], T]
    repeat: Repeat = Repeat.SAFE
    params: Params = field(default_factory=dict)
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: Callable[[], Iterator[bytes]] | None = None
    patience_s: float = 0.0  # what the server may need before it answers, if more than the client's timeout


def reading(model: type[M]) -> Callable[[httpx.Response], M]:
    """Reads a body as `model`."""
    return lambda response: model.model_validate_json(response.content)


def nothing(_response: httpx.Response) -> None:
    """Reads no body."""


def path(*parts: str) -> str:
    """A path below the API's version. Parts are quoted, so that an id can't reach another path."""
    return "/".join([V1, *(quote(part, safe="") for part in parts)])


def given(**fields: Any) -> dict[str, Any]:
    """The fields that are not None, as JSON and queries write them. Times without a zone are this machine's."""
    return {name: _plain(value) for name, value in fields.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone().isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple | list | set) else value
