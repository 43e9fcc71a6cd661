"""Secrets, signatures and the times between attempts, held against the reference library (requirement J10)."""

from __future__ import annotations

import base64
import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from mill_common.hooks.schedule import ATTEMPTS_MAX, DELAYS_S, delay_s, retry_after_s
from mill_common.hooks.secrets import check_secret, headers, new_secret
from mill_common.redact import redact_text

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_the_reference_library_verifies_what_we_sign() -> None:
    secret, body = new_secret(), '{"type":"webhook.test","data":{"ß":1}}'.encode()
    sent = headers([secret], uuid4(), int(time.time()), body)
    assert Webhook(secret).verify(body, sent) == {"type": "webhook.test", "data": {"ß": 1}}


@pytest.mark.parametrize("change", ["body", "id", "timestamp", "secret"])
def test_it_refuses_what_was_changed_on_the_way(change: str) -> None:
    secret, body = new_secret(), b'{"a":1}'
    sent = headers([secret], uuid4(), int(time.time()), body)
    if change == "id":
        sent["webhook-id"] = f"msg_{uuid4().hex}"
    if change == "timestamp":
        sent["webhook-timestamp"] = str(int(time.time()) - 1)
    verifier = Webhook(new_secret() if change == "secret" else secret)
    with pytest.raises(WebhookVerificationError):
        verifier.verify(b'{"a":2}' if change == "body" else body, sent)


def test_either_of_two_secrets_verifies_while_one_rotates() -> None:
    secrets = [new_secret(), new_secret()]
    sent = headers(secrets, uuid4(), int(time.time()), b"{}")
    assert sent["webhook-signature"].count("v1,") == 2
    for secret in secrets:
        Webhook(secret).verify(b"{}", sent)


def _secret(size: int) -> str:
    return "whsec_" + base64.b64encode(bytes(size)).decode()


def test_a_secret_holds_24_to_64_bytes() -> None:
    assert check_secret(new_secret()) != new_secret()
    for size in (24, 64):
        assert check_secret(_secret(size)) == _secret(size)
    for bad in (_secret(23), _secret(65), _secret(32).removeprefix("whsec_"), "whsec_" + "ß" * 40, "whsec_a"):
        with pytest.raises(ValueError, match="24 to 64"):
            check_secret(bad)


def test_a_secret_is_hidden_in_a_log() -> None:
    secret = new_secret()
    assert secret.removeprefix("whsec_") not in redact_text(f"could not sign with {secret}, sorry")


def test_delays_spread_around_the_schedule_and_end_after_ten_attempts() -> None:
    assert ATTEMPTS_MAX == 10
    assert delay_s(10) is None
    for attempts, delay in enumerate(DELAYS_S, start=1):
        drawn = [delay_s(attempts) or 0.0 for _ in range(50)]
        assert 0.9 * delay <= min(drawn) < max(drawn) <= 1.1 * delay


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("9" * 400, 86_400.0),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Fri, 01 Jan 2027 12:00:00 GMT", 86_400.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_a_day_at_most(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds
