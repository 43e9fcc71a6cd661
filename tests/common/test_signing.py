"""Signatures, and the key that makes them."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from mill_common.settings import Settings
from mill_common.signing import LinkExpired, SignatureInvalid, Signer

PARTS = st.lists(st.text(), max_size=4)


@given(signed=PARTS, claimed=PARTS)
def test_only_what_was_signed_verifies(signed: list[str], claimed: list[str]) -> None:
    signer = Signer(b"secret")
    signer.verify(signer.sign(*signed), *signed)
    if signed != claimed:
        with pytest.raises(SignatureInvalid):
            signer.verify(signer.sign(*signed), *claimed)


@pytest.mark.parametrize(
    ("signed", "claimed"), [(("ab", "c"), ("a", "bc")), (("a", ""), ("a",)), (("a,b",), ("a", "b"))]
)
def test_parts_do_not_run_into_each_other(signed: tuple[str, ...], claimed: tuple[str, ...]) -> None:
    signer = Signer(b"secret")
    with pytest.raises(SignatureInvalid):
        signer.verify(signer.sign(*signed), *claimed)


def test_another_secret_makes_another_signature() -> None:
    with pytest.raises(SignatureInvalid):
        Signer(b"other").verify(Signer(b"secret").sign("part"), "part")


@pytest.mark.parametrize("signature", ["", "ü\ud800", "A" * 43, "A" * 10_000])
def test_nonsense_is_no_signature(signature: str) -> None:
    with pytest.raises(SignatureInvalid) as raised:
        Signer(b"secret").verify(signature, "part")
    assert (raised.value.status, raised.value.code) == (403, "signature_invalid")


def test_a_signature_ends_with_its_time() -> None:
    signer, now = Signer(b"secret"), int(time.time())
    signer.verify_until(signer.sign_until(now + 60, "part"), str(now + 60), "part")
    with pytest.raises(LinkExpired) as raised:
        signer.verify_until(signer.sign_until(now - 60, "part"), str(now - 60), "part")
    assert (raised.value.status, raised.value.code) == (403, "link_expired")


@pytest.mark.parametrize("expires_at", ["", "never", "99999999999", "-1", "1e99"])
def test_another_time_is_refused_before_it_is_read(expires_at: str) -> None:
    signer = Signer(b"secret")
    with pytest.raises(SignatureInvalid):
        signer.verify_until(signer.sign_until(int(time.time()) + 60, "part"), expires_at, "part")


def test_the_set_key_signs(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, signing_key=SecretStr("set by the operator"))
    Signer(b"set by the operator").verify(Signer.from_settings(settings).sign("part"), "part")
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "not yet there")
    signature = Signer.from_settings(settings).sign("part")
    Signer.from_settings(settings).verify(signature, "part")
    kept = settings.data_dir / "signing.key"
    assert list(settings.data_dir.iterdir()) == [kept]
    assert kept.stat().st_mode & 0o777 == 0o600
    assert len(kept.read_bytes()) == 64
    other = Settings(data_dir=tmp_path / "other")
    assert Signer.from_settings(other).sign("part") != signature


def test_services_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    signatures: list[str] = []
    together = threading.Barrier(8)

    def start() -> None:
        together.wait()
        signatures.append(Signer.from_settings(Settings(data_dir=tmp_path)).sign("part"))

    services = [threading.Thread(target=start) for _ in range(8)]
    for service in services:
        service.start()
    for service in services:
        service.join()
    assert len(signatures) == 8
    assert len(set(signatures)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["signing.key"]
