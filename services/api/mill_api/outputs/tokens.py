"""Tokens in the path of a stream: they let a player read one job's stream until they expire, without a key."""

from __future__ import annotations

import time
from uuid import UUID

from mill_common.signing import SignatureInvalid, Signer

PURPOSE = "stream"


def make_token(signer: Signer, job_id: UUID | str, expires_s: int) -> str:
    """A token for a job's stream that lasts `expires_s` seconds."""
    expires_at = int(time.time()) + expires_s
    return f"{expires_at}.{signer.sign_until(expires_at, PURPOSE, str(job_id))}"


def check_token(signer: Signer, job_id: UUID, token: str) -> int:
    """The Unix time at which the token ends.

    Raises:
        SignatureInvalid: It is not one of ours, or is another job's.
        LinkExpired: Its time has come.
    """
    expires_at, _, signature = token.partition(".")
    if not (expires_at.isascii() and expires_at.isdigit()):
        raise SignatureInvalid
    signer.verify_until(signature, expires_at, PURPOSE, str(job_id))
    return int(expires_at)
