"""API keys, for keys with the scope `admin`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from .._calls import account
from .._calls.call import given
from ..models import Key
from .transport import AsyncTransport


class AsyncKeys:
    """The server's API keys."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def create(
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
        return await self._transport.send(account.create_key(body))

    async def all(self) -> list[Key]:
        """Every key, without the secrets."""
        return (await self._transport.send(account.keys())).keys

    async def rotate(self, key_id: str, *, overlap_seconds: int | None = None) -> Key:
        """Give a key a new secret. The old one does for `overlap_seconds` longer, a day by default."""
        return await self._transport.send(account.rotate_key(key_id, given(overlap_seconds=overlap_seconds)))

    async def revoke(self, key_id: str) -> None:
        """Make a key worthless at once."""
        await self._transport.send(account.revoke_key(key_id))
