"""People who sign in."""

from __future__ import annotations

from .._calls import users
from .._calls.call import given
from ..models import User
from .transport import AsyncTransport


class AsyncUsers:
    """The server's users. Looking takes the scope `viewer`, changing `admin`."""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def all(self) -> list[User]:
        """Every user, by name."""
        return (await self._transport.send(users.users())).users

    async def create(self, name: str, password: str, *, role: str | None = None, owner: str | None = None) -> User:
        """Let a person in: as a `viewer` unless said otherwise, with jobs of their own unless `owner` has some."""
        return await self._transport.send(
            users.create_user(given(name=name, password=password, role=role, owner=owner))
        )

    async def change(
        self, user_id: str, *, role: str | None = None, password: str | None = None, disabled: bool | None = None
    ) -> User:
        """Give a user another role or password, or shut them out. What is None stays as it is."""
        body = given(role=role, password=password, disabled=disabled)
        return await self._transport.send(users.change_user(user_id, body))

    async def delete(self, user_id: str) -> None:
        """Remove a user. Their jobs stay."""
        await self._transport.send(users.delete_user(user_id))
