"""An operation: a function, and what it takes, gives and raises."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from mill_api.callers import RUNS_THE_MILL
from mill_api.rate_limits import Rate
from mill_common.errors import MillError

Model = TypeVar("Model", bound=BaseModel)
Function = TypeVar("Function", bound=Callable[..., Any])

_REMEMBERED = "__operation__"


@dataclass(frozen=True)
class Header:
    """A request header that an operation reads."""

    name: str
    description: str
    max_length: int = 255  # characters


@dataclass(frozen=True)
class Deprecation:
    """An operation that is to go, and what takes its place."""

    since: datetime  # UTC
    sunset: datetime | None = None  # when it is gone
    link: str | None = None  # where the change is described

    @property
    def headers(self) -> Mapping[str, str]:
        """`Deprecation` (RFC 9745), `Sunset` (RFC 8594) and the link."""
        headers = {"Deprecation": f"@{int(self.since.timestamp())}"}
        if self.sunset is not None:
            headers["Sunset"] = format_datetime(self.sunset, usegmt=True)
        if self.link is not None:
            headers["Link"] = f'<{self.link}>; rel="deprecation"'
        return headers


@dataclass(frozen=True)
class Written(Generic[Model]):
    """What a model would be written as. A test holds each against its model."""

    model: type[Model]
    values: dict[str, Any]


@dataclass(frozen=True)
class Reply(Generic[Model]):
    """A body with a status or headers other than the operation's own."""

    body: Model | Written[Model]
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What one function does for one method of one path."""

    function: Callable[..., Any]
    status: int
    body: type[BaseModel] | None
    body_required: bool
    query: type[BaseModel] | None
    headers: Sequence[Header]
    consumes: Sequence[str]  # types of a body that the function reads by itself
    returns: type[BaseModel] | None
    produces: str | Mapping[str, Any] | None  # type of a body that is no model, or the schema of each
    also: Mapping[int, str]  # other good statuses and what they mean
    raises: Sequence[type[MillError]]
    scope: str | None
    deprecated: Deprecation | None
    rate: Rate | None  # the class whose limit counts; by scope and method if None
    ticket: bool  # whether a ticket in the query does in place of a key
    tag: str

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (inspect.getdoc(self.function) or self.function.__name__).splitlines()[0]

    @property
    def description(self) -> str:
        """The rest of it, up to the sections for programmers."""
        lines = (inspect.getdoc(self.function) or "").splitlines()[1:]
        return "\n".join(lines).split("Raises:")[0].strip()

    @property
    def name(self) -> str:
        """The function's name, unique in a document."""
        return self.function.__name__

    @property
    def limited_as(self) -> Rate:
        """The class whose limit a request counts against."""
        if self.rate is not None:
            return self.rate
        if self.scope is None:
            return Rate.SIGNED
        if self.scope in RUNS_THE_MILL:
            return Rate.ADMIN
        return Rate.READ if self.scope.endswith(":read") else Rate.UPLOAD if self.tag == "uploads" else Rate.WRITE

    @property
    def is_async(self) -> bool:
        """Whether the function reads the body as it arrives; others run in a thread."""
        return inspect.iscoroutinefunction(self.function)


def operation(
    *,
    tag: str,
    status: int = 200,
    body: type[BaseModel] | None = None,
    body_required: bool = True,
    query: type[BaseModel] | None = None,
    headers: Sequence[Header] = (),
    consumes: Sequence[str] = (),
    returns: type[BaseModel] | None = None,
    produces: str | Mapping[str, Any] | None = None,
    also: Mapping[int, str] | None = None,
    raises: Sequence[type[MillError]] = (),
    scope: str | None = "jobs",
    deprecated: Deprecation | None = None,
    rate: Rate | None = None,
    ticket: bool = False,
) -> Callable[[Function], Function]:
    """Remember what a function takes and gives.

    `scope` is what the caller's key must hold; None asks for no key. `jobs` stands for `jobs:read` with GET and for
    `jobs:write` with every other method. `rate` is set where scope and method don't say how often it may be asked.

    The function is called with the request, then by name with each part of the path (typed by its annotation), `body`
    and `query`. It returns a model, what one is `Written` as, a `Reply`, a Starlette
    response, or None.
    """

    def remember(function: Function) -> Function:
        known = Operation(
            function=function,
            status=status,
            body=body,
            body_required=body_required,
            query=query,
            headers=headers,
            consumes=consumes,
            returns=returns,
            produces=produces,
            also=also or {},
            raises=raises,
            scope=scope,
            deprecated=deprecated,
            rate=rate,
            ticket=ticket,
            tag=tag,
        )
        setattr(function, _REMEMBERED, known)
        return function

    return remember


def operation_of(function: Callable[..., Any]) -> Operation:
    """What was remembered of `function`."""
    known = getattr(function, _REMEMBERED)
    assert isinstance(known, Operation)
    return known
