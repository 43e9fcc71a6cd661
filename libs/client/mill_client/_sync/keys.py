# Made from _async/keys.py by `python -m tools.unasync`: change that.
"""API keys, for keys with the scope `admin`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .._calls import account
from .._calls.call import given
from ..models import Key
from .transport import Transport


class Keys:
    """The server's API keys."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(
        self,
        name: str,
        *,
        owner: str | None = None,
        scopes: Sequence[str] | None = None,
        expires_at: datetime | None = None,
    ) -> Key:
        """Make a key. Its secret, `key`, is told this once.

        Scopes are `jobs:read`, `jobs:write`, `jobs` for both, `viewer`, `operator` and `admin`.
        """
        body = given(name=name, owner=owner, scopes=scopes or None, expires_at=expires_at)
        return self._transport.send(account.create_key(body))

    def all(self) -> list[Key]:
        """Every key, without the secrets."""
        return (self._transport.send(account.keys())).keys

    def rotate(self, key_id: str, *, overlap_seconds: int | None = None) -> Key:
        """Give a key a new secret. The old one does for `overlap_seconds` longer, a day by default."""
        return self._transport.send(account.rotate_key(key_id, given(overlap_seconds=overlap_seconds)))

    def revoke(self, key_id: str) -> None:
        """Make a key worthless at once."""
        self._transport.send(account.revoke_key(key_id))
