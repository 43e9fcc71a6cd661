"""The Mediamill SDK and the `mill` command.

`Client` is the way in, `mill_client.models` is what it returns and `mill_client.errors` what it raises.
"""

from typing import TYPE_CHECKING, Any

from .errors import (
    ApiError,
    Conflict,
    ConnectionFailed,
    Forbidden,
    Invalid,
    JobFailed,
    MillClientError,
    NotFound,
    OutputMissing,
    RateLimited,
    ServerError,
    TransferFailed,
    Unauthenticated,
    UnexpectedAnswer,
    WaitTimeout,
)
from .models import Job, JobSpec, JobStatus, JobSummary, OutputFile, TranscriptSpec, Upload

if TYPE_CHECKING:
    from ._client import Client

__all__ = [
    "ApiError",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "Forbidden",
    "Invalid",
    "Job",
    "JobFailed",
    "JobSpec",
    "JobStatus",
    "JobSummary",
    "MillClientError",
    "NotFound",
    "OutputFile",
    "OutputMissing",
    "RateLimited",
    "ServerError",
    "TranscriptSpec",
    "TransferFailed",
    "Unauthenticated",
    "UnexpectedAnswer",
    "Upload",
    "WaitTimeout",
]


def __getattr__(name: str) -> Any:
    # httpx takes half of the time that `mill --help` may take, and help sends nothing.
    if name == "Client":
        from ._client import Client  # noqa: PLC0415 - see above

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
