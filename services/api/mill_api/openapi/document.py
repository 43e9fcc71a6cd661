"""The OpenAPI 3.1 document of some endpoints."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Literal, cast, get_type_hints

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from mill_api.openapi.endpoint import Endpoint
from mill_api.openapi.examples import example_of, problem_example
from mill_api.openapi.operation import Operation
from mill_api.problems import MEDIA_TYPE, BodyTooLarge, MediaTypeUnsupported, NotFound, Problem, RequestInvalid
from mill_api.rate_limits import Rate
from mill_common.errors import MillError

Json = dict[str, Any]
Mode = Literal["validation", "serialization"]
References = dict[tuple[type[BaseModel], Mode], Json]

_PARAMETER = re.compile(r"{(\w+)(?::\w+)?}")
_SECURITY = "ApiKey"
_BEARER = "Bearer"
_TICKET = "Ticket"
EVENT_STREAM = "text/event-stream"
_BYTES: Json = {"type": "string", "format": "binary"}
_EVENT: Json = {
    "type": "object",
    "description": "Each event of the stream.",
    "properties": {
        "event": {"type": "string"},
        "id": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}


@dataclass(frozen=True)
class _Everyone:
    """What operations raise that do not say so themselves."""

    refusals: Sequence[type[MillError]]
    limited: type[MillError]


def document(
    endpoints: Sequence[Endpoint],
    *,
    title: str,
    version: str,
    description: str,
    refusals: Sequence[type[MillError]],
    limited: type[MillError],
) -> Json:
    """What the endpoints take and give.

    `refusals` are what any operation with a scope may raise, `limited` what any with a limit.
    """
    everyone = _Everyone(refusals, limited)
    references, schemas = _schemas(endpoints)
    paths = {
        _PARAMETER.sub(r"{\1}", endpoint.path): {
            method.lower(): _operation(endpoint.path, operation, references, schemas, everyone)
            for method, operation in endpoint.operations.items()
        }
        for endpoint in endpoints
    }
    queries = {operation.query.__name__ for operation in _operations(endpoints) if operation.query}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": description, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in _operations(endpoints))],
        "paths": paths,
        "components": {
            "schemas": {name: schema for name, schema in sorted(schemas.items()) if name not in queries},
            "securitySchemes": {
                _SECURITY: {"type": "apiKey", "in": "header", "name": "X-API-Key"},
                _BEARER: {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                _TICKET: {"type": "apiKey", "in": "query", "name": "ticket"},
            },
        },
    }


def _operations(endpoints: Sequence[Endpoint]) -> list[Operation]:
    return [operation for endpoint in endpoints for operation in endpoint.operations.values()]


def _schemas(endpoints: Sequence[Endpoint]) -> tuple[References, Json]:
    wanted: dict[tuple[type[BaseModel], Mode], None] = {(Problem, "serialization"): None}
    for operation in _operations(endpoints):
        for model in (operation.body, operation.query):
            if model is not None:
                wanted[model, "validation"] = None
        if operation.returns is not None:
            wanted[operation.returns, "serialization"] = None
    references, definitions = models_json_schema(list(wanted), ref_template="#/components/schemas/{model}")
    return cast(References, references), definitions["$defs"]


def _operation(path: str, operation: Operation, references: References, schemas: Json, everyone: _Everyone) -> Json:
    described: Json = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [
            *_path_parameters(path, operation),
            *_query_parameters(operation, schemas),
            *_headers(operation),
        ],
        "responses": _responses(path, operation, references, schemas, everyone),
        "security": _security(operation),
    }
    if operation.deprecated is not None:
        described["deprecated"] = True
    if operation.description:
        described["description"] = operation.description
    if operation.body is not None:
        content = {"application/json": _shown(references[operation.body, "validation"], schemas)}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    elif operation.consumes:
        content = {kind: _raw(kind, operation.body_required) for kind in operation.consumes}
        described["requestBody"] = {"required": operation.body_required, "content": content}
    return described


def _security(operation: Operation) -> list[Json]:
    if operation.scope is None:
        return []
    # OpenAPI 3.1 lets any scheme name what the caller must hold.
    return [
        {_SECURITY: [operation.scope]},
        {_BEARER: [operation.scope]},
        *([{_TICKET: []}] if operation.ticket else []),
    ]


def _shown(schema: Json, schemas: Json) -> Json:
    return {"schema": schema, "example": example_of(schema, schemas)}


def _raw(kind: str, required: bool) -> Json:
    if kind != "multipart/form-data":
        return {"schema": {"type": "string", "format": "binary", **({"minLength": 1} if required else {})}}
    file = {"type": "string", "format": "binary"}
    return {"schema": {"type": "object", "properties": {"file": file}, "required": ["file"]}}


def _path_parameters(path: str, operation: Operation) -> list[Json]:
    hints = get_type_hints(operation.function)
    return [
        {"name": name, "in": "path", "required": True, "schema": TypeAdapter(hints[name]).json_schema()}
        for name in _PARAMETER.findall(path)
    ]


def _query_parameters(operation: Operation, schemas: Json) -> list[Json]:
    if operation.query is None:
        return []
    schema = schemas[operation.query.__name__]
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": field,
            "example": example_of(field, schemas, name),
            **({"description": field["description"]} if "description" in field else {}),
        }
        for name, field in schema["properties"].items()
    ]


def _headers(operation: Operation) -> list[Json]:
    return [
        {
            "name": header.name,
            "in": "header",
            "required": False,
            "description": header.description,
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": header.max_length,
                "pattern": "^[ -~]+$",
            },
        }
        for header in operation.headers
    ]


def _responses(path: str, operation: Operation, references: References, schemas: Json, everyone: _Everyone) -> Json:
    good: Json = {"description": HTTPStatus(operation.status).phrase}
    if operation.returns is not None:
        good["content"] = {"application/json": _shown(references[operation.returns, "serialization"], schemas)}
    elif isinstance(operation.produces, str):
        good["content"] = {operation.produces: {"schema": _EVENT if operation.produces == EVENT_STREAM else _BYTES}}
    elif operation.produces is not None:
        good["content"] = {
            kind: _shown(schema, schemas) if kind == "application/json" else {"schema": schema}
            for kind, schema in operation.produces.items()
        }
    responses = {str(operation.status): good}
    for status, meaning in operation.also.items():
        carries_body = status < 300 and status != 204 and "content" in good
        responses[str(status)] = {"description": meaning, **({"content": good["content"]} if carries_body else {})}
    return responses | _problems(path, _raised(path, operation, everyone), references)


def _raised(path: str, operation: Operation, everyone: _Everyone) -> list[type[MillError]]:
    raised = list(operation.raises)
    raised += everyone.refusals if operation.scope else []
    raised += [everyone.limited] if operation.limited_as is not Rate.UNLIMITED else []
    raised += [NotFound] if "{" in path and not any(error.status == 404 for error in raised) else []
    raised += [RequestInvalid] if operation.query or operation.body or operation.headers else []
    raised += [MediaTypeUnsupported, BodyTooLarge] if operation.body or operation.consumes else []
    return list(dict.fromkeys(raised))


def _problems(path: str, raised: Sequence[type[MillError]], references: References) -> Json:
    by_status: dict[int, list[type[MillError]]] = defaultdict(list)
    for error in raised:
        by_status[error.status].append(error)
    return {
        str(status): {
            "description": "\n".join(f"`{error.code}`: {(error.__doc__ or '').splitlines()[0]}" for error in errors),
            "content": {
                MEDIA_TYPE: {
                    "schema": references[Problem, "serialization"],
                    "examples": {error.code: problem_example(error, path) for error in errors},
                }
            },
        }
        for status, errors in sorted(by_status.items())
    }
