"""The parts of a request, validated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import Request

from mill_api.limits import JSON_BYTES, limit_body
from mill_api.openapi.operation import Operation
from mill_api.problems import BodyTooLarge, Fault, MediaTypeUnsupported, NotFound, RequestInvalid
from mill_common.errors import MillError


def read_path(request: Request, operation: Operation) -> dict[str, Any]:
    """The path's parameters, by the types that the function's annotations give.

    Raises:
        NotFound: One is not of its type, so there can be nothing of that name.
    """
    kinds = _kinds(operation.function, tuple(request.path_params))
    try:
        return {
            name: kinds[name].validate_python(value) for name, value in request.path_params.items() if name in kinds
        }
    except ValidationError:
        raise NotFound from None


def read_query(request: Request, model: type[BaseModel]) -> BaseModel:
    """The query's parameters. Of repeated ones the last counts, unless a list is asked for.

    Unknown ones are ignored, and repeated ones taken, unless the model forbids what it does not know.

    Raises:
        RequestInvalid: One is not as the model says.
    """
    given = request.query_params
    forbids = model.model_config.get("extra") == "forbid"
    values: dict[str, Any] = {name: given[name] for name in given} if forbids else {}
    for name, field in model.model_fields.items():
        if name in given:
            every = given.getlist(name)
            _no_fractions(name, field.annotation, every)
            values[name] = every if _takes_list(field.annotation) or (forbids and len(every) > 1) else given[name]
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise RequestInvalid.of(error, "query") from None


def read_headers(request: Request, operation: Operation) -> None:
    """Check the headers that the operation names.

    Raises:
        RequestInvalid: One is empty, too long, or holds more than visible ASCII.
    """
    for header in operation.headers:
        value = request.headers.get(header.name)
        if value is not None and not (0 < len(value) <= header.max_length and value.isascii() and value.isprintable()):
            raise RequestInvalid(f"{header.name} takes 1 to {header.max_length} visible ASCII characters.")


async def read_body(request: Request, operation: Operation) -> BaseModel | None:
    """The JSON body as the operation's model. Types are not coerced: "5" is no number.

    Raises:
        MillError: `MediaTypeUnsupported`, `BodyTooLarge` or `RequestInvalid`.
    """
    if operation.body is None:
        return None
    raw = await _whole_body(request, JSON_BYTES, BodyTooLarge)
    if not raw and not operation.body_required:
        return operation.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise MediaTypeUnsupported(f"Send application/json, not {kind or 'a body without a type'}.")
    try:
        return operation.body.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise RequestInvalid.of(error, "body") from None


@cache  # as many as there are operations
def _kinds(function: Callable[..., Any], names: tuple[str, ...]) -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(function)
    return {name: TypeAdapter(hints[name]) for name in names if name in hints}


def _no_fractions(name: str, annotation: Any, values: list[str]) -> None:
    """Refuse "5.0" where an integer is asked for: pydantic takes it, and the document does not."""
    parts = list(_parts_of(annotation))
    if int in parts and float not in parts and any("." in value for value in values):
        message = "Input should be a valid integer, written without a fraction"
        raise RequestInvalid(f"query: {message}", [Fault(loc=["query", name], message=message)])


def _parts_of(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts_of(part)


def _takes_list(annotation: Any) -> bool:
    return any(get_origin(part) is list for part in (annotation, *get_args(annotation)))


async def _whole_body(request: Request, limit: int, error: type[MillError]) -> bytes:
    return await limit_body(request, limit, error).body()
