"""Checking what comes in at a webhook.

    from mill_client import webhooks

    message = webhooks.verify(request.body, request.headers, "whsec_…")
    if message.type == "job.completed" and message.id not in seen:
        ...

Source: https://www.standardwebhooks.com
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping, Sequence

from .errors import BodyRejected, HeadersMissing, SignatureRejected, TimestampRejected
from .models import WebhookMessage

_PREFIX = "whsec_"


def verify(
    body: bytes | str,
    headers: Mapping[str, str],
    secret: str | Sequence[str],
    tolerance_s: float = 300.0,
    *,
    now_s: float | None = None,
) -> WebhookMessage:
    """What a request to a webhook says, if it is genuine.

    Args:
        body: The body as it arrived, byte for byte.
        headers: The request's headers, in any case.
        secret: The webhook's secret, or several while one takes over from another.
        tolerance_s: Seconds by which the clocks may differ and the request may be late.
        now_s: Unix time to judge by; this machine's if None.

    Raises:
        HeadersMissing: It is not signed.
        TimestampRejected: It was signed too long ago, or in the future.
        SignatureRejected: No signature is by any of the secrets.
        BodyRejected: It is genuine, but no event.
        ValueError: A secret is none.
    """
    content = body.encode() if isinstance(body, str) else body
    given = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, sent, signatures = (given[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
    except KeyError as missing:
        raise HeadersMissing(f"the request has no header {missing.args[0]}") from None
    _check_time(sent, time.time() if now_s is None else now_s, tolerance_s)
    keys = [_key(each) for each in ([secret] if isinstance(secret, str) else secret)]
    if not _is_signed(f"{message_id}.{sent}.".encode() + content, signatures, keys):
        raise SignatureRejected("no signature is by this secret")
    return _message(message_id, content)


def _check_time(sent: str, now_s: float, tolerance_s: float) -> None:
    if not (sent.isascii() and sent.isdigit() and len(sent) <= 12):
        raise TimestampRejected("the timestamp is no Unix time")
    if abs(now_s - int(sent)) > tolerance_s:
        raise TimestampRejected(f"it was signed {abs(now_s - int(sent)):.0f} s away from now")


def _is_signed(signed: bytes, signatures: str, keys: Sequence[bytes]) -> bool:
    given = [each.partition(",") for each in signatures.split(" ")]
    ours = [base64.b64encode(hmac.digest(key, signed, hashlib.sha256)) for key in keys]
    # Compared in constant time, so that an answer's time tells nothing of a signature.
    return any(
        hmac.compare_digest(value.encode(), expected)
        for version, _, value in given
        if version == "v1"
        for expected in ours
    )


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ValueError("this is no secret of a webhook; one looks like whsec_ and Base64")
    return key


def _message(message_id: str, content: bytes) -> WebhookMessage:
    try:
        fields = json.loads(content)
        return WebhookMessage.model_validate({**fields, "id": message_id})
    except (ValueError, TypeError) as error:
        raise BodyRejected("the body is no event") from error
