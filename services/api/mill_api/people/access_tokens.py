"""Access tokens: JWTs that name a person's session for a few minutes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

import jwt

from mill_common.signing import Signer

_ALGORITHM = "HS256"
_ISSUER = "mediamill"
_PURPOSE = "access token"
_REQUIRED = ["exp", "iat", "iss", "sid", "sub"]


@dataclass(frozen=True)
class Access:
    """What a token says."""

    user_id: UUID
    session_id: UUID


def make_access_token(signer: Signer, access: Access, expires_s: int) -> str:
    """A token that does for `expires_s` seconds."""
    now = int(time.time())
    said = {"iss": _ISSUER, "sub": str(access.user_id), "sid": str(access.session_id), "iat": now}
    return jwt.encode({**said, "exp": now + expires_s}, _key(signer), algorithm=_ALGORITHM)


def read_access_token(signer: Signer, token: str) -> Access | None:
    """What a token says; None if it is none of ours, or its time has come."""
    try:
        said = jwt.decode(token, _key(signer), algorithms=[_ALGORITHM], issuer=_ISSUER, options={"require": _REQUIRED})
        return Access(UUID(said["sub"]), UUID(said["sid"]))
    except (jwt.InvalidTokenError, ValueError, TypeError, AttributeError):
        return None


def _key(signer: Signer) -> bytes:
    # A key of its own, so that nothing signed for another purpose does as a token.
    return signer.sign(_PURPOSE).encode()
