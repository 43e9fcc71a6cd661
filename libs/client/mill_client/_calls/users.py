"""Calls about users, for keys with the scope `admin`; with `viewer` to look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._retries import Repeat
from ..models import User, UserList
from .call import Call, nothing, path, reading


def users() -> Call[UserList]:
    return Call("GET", path("admin", "users"), reading(UserList))


def create_user(body: Mapping[str, Any]) -> Call[User]:
    return Call("POST", path("admin", "users"), reading(User), Repeat.UNTAKEN, json=dict(body))


def change_user(user_id: str, body: Mapping[str, Any]) -> Call[User]:
    return Call("PATCH", path("admin", "users", user_id), reading(User), json=dict(body))


def delete_user(user_id: str) -> Call[None]:
    return Call("DELETE", path("admin", "users", user_id), nothing, Repeat.UNTAKEN)
