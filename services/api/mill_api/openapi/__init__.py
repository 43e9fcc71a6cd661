"""Plain functions as HTTP operations, and what they are as an OpenAPI 3.1 document."""

from mill_api.openapi.document import EVENT_STREAM, document
from mill_api.openapi.endpoint import Endpoint
from mill_api.openapi.operation import Deprecation, Header, Operation, Reply, Written, operation

__all__ = [
    "EVENT_STREAM",
    "Deprecation",
    "Endpoint",
    "Header",
    "Operation",
    "Reply",
    "Written",
    "document",
    "operation",
]
