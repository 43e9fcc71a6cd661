"""A7: every operation and every error is shown by an example, and every example is right."""

from __future__ import annotations

from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from mill_api.app import describe
from mill_api.openapi import Operation
from mill_api.operations import endpoints
from mill_api.problems import Problem

DOCUMENT = describe(endpoints())
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
}
BODIES: list[Operation] = [
    operation for endpoint in endpoints() for operation in endpoint.operations.values() if operation.body is not None
]


def test_no_schema_is_called_by_the_module_it_comes_from() -> None:
    # Two models of one name would be told apart by their modules, and a move would rename what clients generate.
    assert [name for name in DOCUMENT["components"]["schemas"] if "__" in name] == []


def check(schema: dict[str, Any], example: Any) -> None:
    """Hold an example against its schema."""
    whole = {**schema, "components": DOCUMENT["components"]}
    faults = [fault.message for fault in Draft202012Validator(whole).iter_errors(example)]
    assert faults == [], example


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_an_operation_and_its_errors_are_shown(name: str) -> None:
    operation = OPERATIONS[name]
    for parameter in operation["parameters"]:
        if parameter["in"] == "query":
            check(parameter["schema"], parameter["example"])
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        check(body["schema"], body["example"])
    for status, response in operation["responses"].items():
        for kind, content in response.get("content", {}).items():
            if kind == "application/json":
                check(content["schema"], content["example"])
            elif kind == "application/problem+json":
                assert content["examples"], name
                for example in content["examples"].values():
                    assert Problem.model_validate(example["value"]).status == int(status)


@pytest.mark.parametrize("operation", BODIES, ids=lambda operation: operation.name)
def test_the_example_of_a_body_is_taken(operation: Operation) -> None:
    """What a schema can't say (one of three, an order of dates) the example keeps to, too."""
    described = next(each for each in OPERATIONS.values() if each["operationId"] == operation.name)
    example = described["requestBody"]["content"]["application/json"]["example"]
    assert operation.body is not None
    operation.body.model_validate(example)
