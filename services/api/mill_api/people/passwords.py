"""Passwords as Argon2id hashes."""

from __future__ import annotations

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

AT_ONCE = 4  # each takes 64 MiB while it is reckoned
_hasher = PasswordHasher()
_room = threading.BoundedSemaphore(AT_ONCE)


def hash_of(password: str) -> str:
    """What is kept of a password."""
    with _room:
        return _hasher.hash(password)


def matches(password: str, kept: str | None) -> bool:
    """Whether a password is the one of which `kept` is left. Without any it takes as long, and is False."""
    with _room:
        try:
            return _hasher.verify(kept or _nobodys(), password) and kept is not None
        except (Argon2Error, InvalidHashError):
            return False


def is_outdated(kept: str) -> bool:
    """Whether a hash was made with less effort than is taken now."""
    return _hasher.check_needs_rehash(kept)


@cache
def _nobodys() -> str:
    return _hasher.hash("the password of nobody")
