"""One path and all its methods, as an ASGI application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from mill_api.openapi.operation import Operation, Reply, Written, operation_of
from mill_api.openapi.reading import read_body, read_headers, read_path, read_query
from mill_api.threads import Threads

JSON = "application/json"
OVERRIDE = "X-HTTP-Method-Override"
OWN_HEADERS = "mill.headers"  # of the scope: what an endpoint adds to every answer
Authorise = Callable[[Request, Operation], None]
"""Raises if the caller of a request may not do an operation. Blocks, so it runs in a thread."""


class Endpoint:
    """All that one path does. `Allow` is complete because nothing else serves the path.

    Args:
        headers: Carried by every answer, errors included.
        overridable: Whether a POST with `X-HTTP-Method-Override` is what that header says.
        functions: Operations by their methods. HEAD is GET without a body unless it is given.
    """

    def __init__(
        self,
        path: str,
        authorise: Authorise,
        *,
        headers: Mapping[str, str] | None = None,
        overridable: bool = False,
        **functions: Callable[..., Any],
    ) -> None:
        self.path = path
        self.operations = {
            method.upper(): _with_scope(operation_of(function), method) for method, function in functions.items()
        }
        self._authorise = authorise
        self._headers = headers or {}
        self._overridable = overridable
        methods = {*self.operations, "OPTIONS"} | ({"HEAD"} if "GET" in self.operations else set())
        self.allow = ", ".join(sorted(methods))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[OWN_HEADERS] = self._headers
        request = Request(scope, receive)
        if self._overridable and request.method == "POST" and OVERRIDE in request.headers:
            scope["method"] = request.headers[OVERRIDE].upper()
        response = await self._respond(request)
        await response(scope, receive, _without_body(send) if request.method == "HEAD" else send)

    async def _respond(self, request: Request) -> Response:
        operation = self.operations.get(request.method)
        if operation is None and request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": self.allow})
        if operation is None and request.method == "HEAD":
            operation = self.operations.get("GET")
        if operation is None:
            raise HTTPException(405, f"This path takes {self.allow}.", headers={"Allow": self.allow})
        return _response(operation, await self._call(operation, request))

    async def _call(self, operation: Operation, request: Request) -> object:
        if operation.deprecated is not None:
            request.state.deprecation_headers = operation.deprecated.headers
        request.state.route = f"{request.method} {self.path}"
        threads: Threads = request.app.state.threads
        if operation.body is None and not operation.is_async:
            return await threads.run(self._call_here, operation, request)
        arguments = await threads.run(self._admit, operation, request)
        if operation.body is not None:
            arguments["body"] = await read_body(request, operation)
        if operation.is_async:
            return await operation.function(request, **arguments)
        return await threads.run(partial(operation.function, request, **arguments))

    def _call_here(self, operation: Operation, request: Request) -> object:
        return operation.function(request, **self._admit(operation, request))

    def _admit(self, operation: Operation, request: Request) -> dict[str, Any]:
        # Before anything of the request is read: a stranger learns nothing and costs little.
        self._authorise(request, operation)
        arguments = read_path(request, operation)
        read_headers(request, operation)
        if operation.query is not None:
            arguments["query"] = read_query(request, operation.query)
        return arguments


def _with_scope(operation: Operation, method: str) -> Operation:
    if operation.scope != "jobs":
        return operation
    return replace(operation, scope="jobs:read" if method == "get" else "jobs:write")


def _response(operation: Operation, result: object) -> Response:
    if isinstance(result, Response):
        return result
    if result is None:
        return Response(status_code=operation.status)
    if not isinstance(result, Reply):
        return Response(_written(operation, result), status_code=operation.status, media_type=JSON)
    body, status = _written(operation, result.body), result.status or operation.status
    return Response(body, status_code=status, media_type=JSON, headers=result.headers)


def _written(operation: Operation, body: object) -> bytes | str:
    if isinstance(body, Written) and body.model is operation.returns:
        return to_json(body.values)
    if operation.returns is None or not isinstance(body, operation.returns):
        raise TypeError(f"{operation.name} returned {type(body).__name__}")
    return body.model_dump_json()


def _without_body(send: Send) -> Send:
    async def headers_alone(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return headers_alone
