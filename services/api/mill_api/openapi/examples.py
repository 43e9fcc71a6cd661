"""Examples for the document, made from the schemas: what is documented and what is shown cannot drift apart."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from mill_common.errors import MillError

Json = dict[str, Any]

_ID = "0198f2a4-7c1e-7d3b-9a5f-3e8b6c2d1f04"
_TIME = "2026-03-01T12:00:00.000Z"
# Where a name says more than its type. Each is tried, and left out where the schema does not allow it.
_NAMED: Json = {
    "JobChange": {"priority": 7},
    "SourceRequest": {"url": "https://media.example.org/clip.mp4"},
    "bytes_in": 48213,
    "code": "job_not_found",
    "codec": "h264",
    "content_type": "video/mp4",
    "current_stage": "encoding",
    "current_task": "encode",
    "duration_seconds": 62.0,
    "etag": "9b2cf535f27731c974343645a3985328",
    "file_hash": "5f" * 32,
    "filename": "clip.mp4",
    "from_date": "2026-03-01",
    "key": "mill_7Qm2xR9a_…",
    "language": "en",
    "matchers": {"type": "queue_*"},
    "name": "clip",
    "object_key": "incoming/ada/clip.mp4",
    "owner": "ada",
    "prefix": "7Qm2xR9a",
    "progress": 42.5,
    "resolution": "1280x720",
    "scopes": ["jobs:read"],
    "sha256": "5f" * 32,
    "size": 4821377,
    "size_bytes": 4821377,
    "status": "processing",
    "ticket": "1772366700.0198f2a4….all.…",
    "to_date": "2026-03-31",
    "url": "https://media.example.org/clip.mp4",
}


def example_of(schema: Json, schemas: Json, name: str = "") -> Any:
    """A value that `schema` allows."""
    schema = resolved(schema, schemas)
    for known in (schema.get("title"), name):
        if known in _NAMED and _fits(_NAMED[known], schema, schemas):
            return _NAMED[known]
    given = [schema.get("const"), *schema.get("examples", []), *schema.get("enum", []), schema.get("default")]
    if chosen := [value for value in given if value is not None]:
        return chosen[0]
    choices = schema.get("anyOf", schema.get("oneOf"))
    return example_of(choices[0], schemas, name) if choices else _of_type(schema, schemas, name)


def problem_example(error: type[MillError], path: str) -> Json:
    """An error as it is answered on a path."""
    title = (error.__doc__ or error.code).splitlines()[0]
    shown: Json = {"type": f"urn:mediamill:problem:{error.code}", "title": title, "status": error.status}
    shown |= {"code": error.code, "detail": title, "instance": path.replace("{job_id}", _ID)}
    if error.status == HTTPStatus.UNPROCESSABLE_ENTITY and error.code == "invalid_request":
        shown |= {"errors": [{"loc": ["body", "source"], "message": "Field required"}]}
    return {"summary": error.code, "value": shown}


def resolved(schema: Json, schemas: Json) -> Json:
    """The schema that a reference leads to, or itself."""
    while "$ref" in schema:
        schema = {**schemas[schema["$ref"].rpartition("/")[2]], **{k: v for k, v in schema.items() if k != "$ref"}}
    return schema


def _of_type(schema: Json, schemas: Json, name: str) -> Any:
    match schema.get("type"):
        case "object":
            return _object(schema, schemas, name)
        case "array":
            return [example_of(schema["items"], schemas, name)] if "items" in schema else []
        case "integer" | "number":
            return max(schema.get("minimum", 1), schema.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(schema)


def _object(schema: Json, schemas: Json, name: str) -> Json:
    required = schema.get("required", [])
    shown = {
        field: example_of(each, schemas, field)
        for field, each in schema.get("properties", {}).items()
        # An optional field is shown where it takes a name's value; the rest speaks for itself.
        if field in required or (field in _NAMED and "default" not in schema)
    }
    if not shown and schema.get("minProperties") and "properties" in schema:
        field, each = next(iter(schema["properties"].items()))
        shown = {field: example_of(each, schemas, field)}
    extra = schema.get("additionalProperties")
    if not shown and isinstance(extra, dict):
        names = resolved(schema.get("propertyNames", {}), schemas).get("enum", ["360p" if "$ref" in extra else "key"])
        shown = {names[0]: example_of(extra, schemas, name)}
    return shown


def _text(schema: Json) -> str:
    by_format = {"uuid": _ID, "date-time": _TIME, "date": "2026-03-01", "uri": "https://media.example.org/clip.mp4"}
    return by_format.get(schema.get("format", ""), "text"[: schema.get("maxLength", 4)])


def _fits(value: Any, schema: Json, schemas: Json) -> bool:
    types = {dict: "object", str: "string", int: "integer", float: "number", list: "array"}
    choices = [resolved(choice, schemas) for choice in (schema, *schema.get("anyOf", []))]
    plain = [choice for choice in choices if value in choice.get("enum", [choice.get("const", value)])]
    allowed = {types[type(value)], "number" if isinstance(value, int) else types[type(value)]}
    return any(
        choice.get("type") in allowed
        and choice.get("format", "") in ("", "date", "uri", "binary")
        and (choice.get("format") != "date" or str(value).startswith("2026-"))
        for choice in plain
    )
