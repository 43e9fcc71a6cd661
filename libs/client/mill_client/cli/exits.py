"""What the `mill` command's exit codes mean. They are a contract: scripts branch on them."""

from __future__ import annotations

from enum import IntEnum

from ..errors import (
    ApiError,
    ConnectionFailed,
    Forbidden,
    MillClientError,
    NotFound,
    OutputMissing,
    ServerError,
    Unauthenticated,
    UnexpectedAnswer,
    WaitTimeout,
)


class Exit(IntEnum):
    """Exit codes; each one's meaning is in `MEANING`."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_ALLOWED = 4
    NOT_FOUND = 5
    REFUSED = 6
    SERVER_ERROR = 7
    TIMED_OUT = 8
    INTERRUPTED = 130


MEANING = {
    Exit.OK: "done",
    Exit.FAILED: "the job or run failed or was cancelled, an alert fires, "
    "or a file here could not be read, written or verified",
    Exit.USAGE: "the command line is wrong",
    Exit.UNREACHABLE: "the server does not answer",
    Exit.NOT_ALLOWED: "no valid API key, or one that may not do this",
    Exit.NOT_FOUND: "there is no such job, run, output, key or user",
    Exit.REFUSED: "the server refused the request",
    Exit.SERVER_ERROR: "the server failed",
    Exit.TIMED_OUT: "the job did not end in time; it goes on",
    Exit.INTERRUPTED: "interrupted; a submitted job goes on",
}

EPILOG = "Exit codes: " + "; ".join(f"{int(code)} {meaning}" for code, meaning in MEANING.items()) + "."

_CODES: tuple[tuple[type[Exception], Exit], ...] = (
    (ConnectionFailed, Exit.UNREACHABLE),
    (Unauthenticated, Exit.NOT_ALLOWED),
    (Forbidden, Exit.NOT_ALLOWED),
    (NotFound, Exit.NOT_FOUND),
    (OutputMissing, Exit.NOT_FOUND),
    (ServerError, Exit.SERVER_ERROR),
    (UnexpectedAnswer, Exit.SERVER_ERROR),
    (ApiError, Exit.REFUSED),
    (WaitTimeout, Exit.TIMED_OUT),
)


def exit_code_of(error: MillClientError | OSError) -> Exit:
    """The exit code that an error ends the command with."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), Exit.FAILED)
