"""API keys, for keys with the scope `admin`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from . import _calls
from ._transport import Transport
from .models import Key


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
        """Make a key. Its secret, `key`, is told this once."""
        asked = {
            "owner": owner,
            "scopes": list(scopes) if scopes else None,
            "expires_at": expires_at.astimezone().isoformat() if expires_at else None,
        }
        body = {"name": name} | {field: value for field, value in asked.items() if value is not None}
        return self._transport.send(_calls.create_key(body))

    def all(self) -> list[Key]:
        """Every key, without the secrets."""
        return self._transport.send(_calls.list_keys()).keys

    def revoke(self, key_id: str) -> None:
        """Make a key worthless at once."""
        self._transport.send(_calls.revoke_key(key_id))
