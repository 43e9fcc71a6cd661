"""The `mill` command."""

from __future__ import annotations

import sys

from ..errors import ConnectionFailed, Invalid, MillClientError, Unauthenticated
from .app import build
from .exits import exit_code_of
from .output import complain, say, sentence
from .server import installed

__all__ = ["main"]


def main() -> None:
    """Run the `mill` command; what its exit codes mean is in `exits`."""
    try:
        build(installed())(prog_name="mill")
    except (MillClientError, OSError) as error:
        complain(sentence(error))
        for hint in _hints(error):
            say(hint)
        sys.exit(exit_code_of(error))


def _hints(error: MillClientError | OSError) -> list[str]:
    if isinstance(error, ConnectionFailed):
        return ["Is a server running there? `mill up` starts one; MILL_URL or --url says where it is."]
    if isinstance(error, Unauthenticated):
        return ["Set MILL_API_KEY or --api-key to a key that this server knows."]
    if isinstance(error, Invalid):
        return [f"{where}: {message}" if where else message for where, message in error.errors]
    return []
