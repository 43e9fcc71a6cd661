"""The Mediamill SDK and the `mill` command.

`Client` and `AsyncClient` are the ways in, `mill_client.models` is what they return and `mill_client.errors` what they
raise. `mill_client.webhooks` checks what a webhook is sent.
"""

from typing import TYPE_CHECKING, Any

from .errors import (
    ApiError,
    BodyRejected,
    ChecksumMismatch,
    Conflict,
    ConnectionFailed,
    Forbidden,
    HeadersMissing,
    IdempotencyMismatch,
    Invalid,
    JobFailed,
    LinkExpired,
    Locked,
    MillClientError,
    NotFound,
    OutputMissing,
    QuotaExceeded,
    RateLimited,
    ServerError,
    SignatureRejected,
    SourceRefused,
    Stopped,
    TimestampRejected,
    TransferFailed,
    Unauthenticated,
    Unavailable,
    UnexpectedAnswer,
    WaitTimeout,
    WebhookRejected,
)
from .models import (
    AudioSpec,
    Job,
    JobEvent,
    JobSource,
    JobSpec,
    JobStatus,
    JobSummary,
    JobWebhook,
    OutputFile,
    ThumbnailsSpec,
    TranscriptSpec,
    Upload,
)

if TYPE_CHECKING:
    from ._async.client import AsyncClient
    from ._sync.client import Client

__all__ = [
    "ApiError",
    "AsyncClient",
    "AudioSpec",
    "BodyRejected",
    "ChecksumMismatch",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "Forbidden",
    "HeadersMissing",
    "IdempotencyMismatch",
    "Invalid",
    "Job",
    "JobEvent",
    "JobFailed",
    "JobSource",
    "JobSpec",
    "JobStatus",
    "JobSummary",
    "JobWebhook",
    "LinkExpired",
    "Locked",
    "MillClientError",
    "NotFound",
    "OutputFile",
    "OutputMissing",
    "QuotaExceeded",
    "RateLimited",
    "ServerError",
    "SignatureRejected",
    "SourceRefused",
    "Stopped",
    "ThumbnailsSpec",
    "TimestampRejected",
    "TranscriptSpec",
    "TransferFailed",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "Upload",
    "WaitTimeout",
    "WebhookRejected",
]


def __getattr__(name: str) -> Any:
    # httpx takes half of the time that `mill --help` may take, and help sends nothing.
    if name == "Client":
        from ._sync.client import Client  # noqa: PLC0415 - see above

        return Client
    if name == "AsyncClient":
        from ._async.client import AsyncClient  # noqa: PLC0415 - see above

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
