"""API keys: `mill_<prefix>_<random><checksum>`.

The prefix names a key to people, the checksum catches typing errors and lets scanners recognise a leaked key. Only the
SHA-256 of a key is kept: 190 random bits need no slow hash.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

_ALPHABET = string.digits + string.ascii_letters
_PREFIX_LENGTH = 8
_RANDOM_LENGTH = 32
_CHECKSUM_LENGTH = 6  # 62**6 > 2**32
_FORM = re.compile(rf"mill_([0-9A-Za-z]{{{_PREFIX_LENGTH}}})_[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}")


def new_key() -> str:
    """A key that nobody has seen before."""
    stem = f"mill_{_characters(_PREFIX_LENGTH)}_{_characters(_RANDOM_LENGTH)}"
    return stem + _checksum(stem)


def digest_of(key: str) -> str:
    """What is kept of a key: its SHA-256, hexadecimal."""
    return hashlib.sha256(key.encode()).hexdigest()


def prefix_of(key: str) -> str | None:
    """What may be shown of a key; None if it is not of our form."""
    form = _FORM.fullmatch(key)
    return form[1] if form else None


def is_mistyped(key: str) -> bool:
    """Whether a key has our form but not its checksum."""
    return _FORM.fullmatch(key) is not None and key[-_CHECKSUM_LENGTH:] != _checksum(key[:-_CHECKSUM_LENGTH])


def _characters(count: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(count))


def _checksum(stem: str) -> str:
    number = zlib.crc32(stem.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        number, digit = divmod(number, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
