"""Signatures for links and tokens that this system hands out and takes back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import time
from pathlib import Path
from typing import Self

from mill_common.errors import MillError
from mill_common.settings import Settings

KEY_FILE = "signing.key"


class SignatureInvalid(MillError):
    """The signature does not match what it should sign."""

    code = "signature_invalid"
    status = 403


class LinkExpired(MillError):
    """The link has expired."""

    code = "link_expired"
    status = 403


class Signer:
    """HMAC-SHA256 over a list of texts. Let the first one name the purpose, so that no signature serves two."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Sign with `settings.signing_key`, else with a random key that is made once and kept in `data_dir`."""
        if settings.signing_key is not None:
            return cls(settings.signing_key.get_secret_value().encode())
        return cls(_kept_secret(settings.data_dir / KEY_FILE))

    def sign(self, *parts: str) -> str:
        """A signature of the parts in their order, 43 URL-safe characters."""
        # A JSON list keeps ("ab", "c") apart from ("a", "bc").
        digest = hmac.digest(self._secret, json.dumps(parts).encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def verify(self, signature: str, *parts: str) -> None:
        """Compare in constant time.

        Raises:
            SignatureInvalid: If these parts were not signed so.
        """
        if not hmac.compare_digest(signature.encode(errors="replace"), self.sign(*parts).encode()):
            raise SignatureInvalid

    def sign_until(self, expires_at: int, *parts: str) -> str:
        """Sign the parts together with the Unix time at which the signature ends."""
        return self.sign(*parts, str(expires_at))

    def verify_until(self, signature: str, expires_at: str, *parts: str) -> None:
        """Check a signature of `sign_until`; `expires_at` is the text that came with it.

        Raises:
            SignatureInvalid: If these parts and this time were not signed so.
            LinkExpired: If they were, and the time has come.
        """
        self.verify(signature, *parts, expires_at)
        if int(expires_at) <= time.time():
            raise LinkExpired


def _kept_secret(path: Path) -> bytes:
    if not path.exists():
        _keep_secret(path)
    return path.read_bytes()


def _keep_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_hex(32).encode())
            file.flush()
            os.fsync(file.fileno())
        # A link fails where the name is taken: whoever comes second uses the first one's key.
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
