"""J10: a receiver tells the server's requests from anybody else's."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from mill_client import errors, webhooks
from mill_common.hooks.secrets import new_secret

BODY = json.dumps({"type": "job.completed", "timestamp": "2026-01-02T03:04:05Z", "data": {"job_id": "j1"}}).encode()
NOW = 1_700_000_000
SECRET, OTHER = new_secret(), new_secret()


def signed(*secrets: str, body: bytes = BODY, at: int = NOW) -> dict[str, str]:
    """Headers as the reference library makes them, one signature for each secret."""
    when = datetime.fromtimestamp(at, UTC)
    signatures = [Webhook(secret).sign("msg_1", when, body.decode()) for secret in secrets]
    return {"Webhook-Id": "msg_1", "WEBHOOK-TIMESTAMP": str(at), "webhook-signature": " ".join(signatures)}


def test_a_genuine_request_tells_its_event() -> None:
    message = webhooks.verify(BODY, signed(SECRET), SECRET, now_s=NOW)
    assert (message.id, message.type, message.data) == ("msg_1", "job.completed", {"job_id": "j1"})


def test_a_body_may_be_text() -> None:
    assert webhooks.verify(BODY.decode(), signed(SECRET), SECRET, now_s=NOW).id == "msg_1"


def test_one_signature_of_several_is_enough() -> None:
    assert webhooks.verify(BODY, signed(OTHER, SECRET), SECRET, now_s=NOW).id == "msg_1"


def test_one_secret_of_several_is_enough() -> None:
    assert webhooks.verify(BODY, signed(SECRET), [OTHER, SECRET], now_s=NOW).id == "msg_1"


def test_another_secret_is_rejected() -> None:
    with pytest.raises(errors.SignatureRejected):
        webhooks.verify(BODY, signed(OTHER), SECRET, now_s=NOW)


def test_a_changed_body_is_rejected() -> None:
    with pytest.raises(errors.SignatureRejected):
        webhooks.verify(BODY.replace(b"j1", b"j2"), signed(SECRET), SECRET, now_s=NOW)


def test_a_changed_id_is_rejected() -> None:
    with pytest.raises(errors.SignatureRejected):
        webhooks.verify(BODY, {**signed(SECRET), "Webhook-Id": "msg_2"}, SECRET, now_s=NOW)


def test_a_signature_of_another_version_is_not_counted() -> None:
    headers = signed(SECRET)
    headers["webhook-signature"] = headers["webhook-signature"].replace("v1,", "v2,")
    with pytest.raises(errors.SignatureRejected):
        webhooks.verify(BODY, headers, SECRET, now_s=NOW)


@pytest.mark.parametrize("away", [301, -301])
def test_a_request_from_another_time_is_rejected(away: int) -> None:
    with pytest.raises(errors.TimestampRejected):
        webhooks.verify(BODY, signed(SECRET), SECRET, now_s=NOW + away)


@pytest.mark.parametrize("away", [299, -299])
def test_a_request_within_the_tolerance_is_taken(away: int) -> None:
    assert webhooks.verify(BODY, signed(SECRET), SECRET, now_s=NOW + away).id == "msg_1"


def test_this_machines_clock_judges_by_default() -> None:
    assert webhooks.verify(BODY, signed(SECRET, at=int(time.time())), SECRET).id == "msg_1"
    with pytest.raises(errors.TimestampRejected):
        webhooks.verify(BODY, signed(SECRET), SECRET)


@pytest.mark.parametrize("stamp", ["", "soon", "-5", "9" * 40])
def test_a_timestamp_that_is_none_is_rejected(stamp: str) -> None:
    with pytest.raises(errors.TimestampRejected):
        webhooks.verify(BODY, {**signed(SECRET), "WEBHOOK-TIMESTAMP": stamp}, SECRET, now_s=NOW)


@pytest.mark.parametrize("name", ["Webhook-Id", "WEBHOOK-TIMESTAMP", "webhook-signature"])
def test_a_request_without_its_headers_is_rejected(name: str) -> None:
    headers = signed(SECRET)
    del headers[name]
    with pytest.raises(errors.HeadersMissing, match=name.lower()):
        webhooks.verify(BODY, headers, SECRET, now_s=NOW)


@pytest.mark.parametrize("body", [b"[]", b"not json", b"{}"])
def test_a_genuine_body_that_is_no_event_is_told_apart(body: bytes) -> None:
    with pytest.raises(errors.BodyRejected):
        webhooks.verify(body, signed(SECRET, body=body), SECRET, now_s=NOW)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!"])
def test_a_secret_that_is_none_is_the_callers_fault(secret: str) -> None:
    with pytest.raises(ValueError, match="no secret"):
        webhooks.verify(BODY, signed(SECRET), secret, now_s=NOW)
