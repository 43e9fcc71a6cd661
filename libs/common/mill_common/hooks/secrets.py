"""Secrets and signatures as Standard Webhooks wants them.

Source: https://www.standardwebhooks.com, specification 1.0.0.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from uuid import UUID

PREFIX = "whsec_"
BYTES = range(24, 65)
_NEW_BYTES = 32


def new_secret() -> str:
    """A random secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_NEW_BYTES)).decode()


def check_secret(secret: str) -> str:
    """The secret, if it is `whsec_` and the base64 of 24 to 64 bytes.

    Raises:
        ValueError: It is not.
    """
    if not secret.startswith(PREFIX) or len(_key(secret)) not in BYTES:
        raise ValueError("takes whsec_ and the base64 of 24 to 64 bytes")
    return secret


def message_id(delivery_id: UUID) -> str:
    """What a receiver knows a delivery by, however often it comes."""
    return f"msg_{delivery_id.hex}"


def headers(secrets_: Iterable[str], delivery_id: UUID, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers of one request, signed with every secret; `timestamp` is in seconds since 1970."""
    known = message_id(delivery_id)
    signed = f"{known}.{timestamp}.".encode() + body
    return {
        "webhook-id": known,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets_),
    }


def _signature(secret: str, signed: bytes) -> str:
    digest = hmac.new(_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def _key(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError as error:
        raise ValueError("takes whsec_ and the base64 of 24 to 64 bytes") from error
