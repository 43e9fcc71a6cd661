"""People who sign in, for tests."""

from __future__ import annotations

from typing import Any

import httpx
from api.running import Gateway

PASSWORD = "a long enough password"
LOGIN = "/api/v1/auth/login"


def make_user(gateway: Gateway, name: str, role: str = "viewer", **more: Any) -> dict[str, Any]:
    """A new user."""
    made = gateway.admin.post("/api/v1/admin/users", json={"name": name, "password": PASSWORD, "role": role, **more})
    assert made.status_code == 201, made.text
    user: dict[str, Any] = made.json()
    return user


def sign_in(gateway: Gateway, name: str, password: str = PASSWORD) -> dict[str, Any]:
    """The tokens of a new session."""
    with gateway.client() as stranger:
        answer = stranger.post(LOGIN, json={"username": name, "password": password})
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def person(gateway: Gateway, name: str, role: str = "viewer", **more: Any) -> httpx.Client:
    """A new user, signed in."""
    make_user(gateway, name, role, **more)
    return bearing(gateway, sign_in(gateway, name)["access_token"])


def bearing(gateway: Gateway, token: str) -> httpx.Client:
    """Somebody with that access token."""
    return httpx.Client(base_url=gateway.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def audit(gateway: Gateway, **filters: Any) -> list[dict[str, Any]]:
    """The audit log's entries, the latest first."""
    answer = gateway.admin.get("/api/v1/admin/audit", params={"limit": 500, **filters})
    assert answer.status_code == 200, answer.text
    entries: list[dict[str, Any]] = answer.json()["entries"]
    return entries
