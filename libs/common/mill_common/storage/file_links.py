"""Signed, expiring local URLs: what S3's presigned ones are, for the file store."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from mill_common.signing import Signer
from mill_common.storage.base import check_expiry

LINK_PATH = "/objects/"


@dataclass(frozen=True)
class PartTarget:
    """The part of a multipart upload that a link lets its holder write."""

    key: str
    upload_id: str
    number: int


class FileLinks:
    """Makes links and checks them. They start with `public_url`, or with the path alone if that is empty."""

    def __init__(self, signer: Signer, public_url: str = "") -> None:
        self._signer = signer
        self._base = public_url.rstrip("/") + LINK_PATH

    def make(self, method: str, key: str, *, expires_s: int, **fields: str) -> str:
        """A link that lets its holder do `method` on `key` for `expires_s` seconds."""
        expires_at = int(time.time()) + check_expiry(expires_s)
        signature = self._signer.sign_until(expires_at, *_signed(method, key, fields))
        named = urlencode(fields) + "&" if fields else ""
        return f"{self._base}{quote(key)}?{named}expires={expires_at}&signature={signature}"  # neither needs quoting

    def verify_get(self, key: str, query: Mapping[str, str]) -> str | None:
        """The file name to serve the object under, if the link names one.

        Raises:
            SignatureInvalid, LinkExpired: If the link does not allow to read `key` (any more).
        """
        self._verify("GET", key, query)
        return query.get("filename")

    def verify_put(self, key: str, query: Mapping[str, str]) -> PartTarget | None:
        """The part to write, or None for a whole object.

        Raises:
            SignatureInvalid, LinkExpired: If the link does not allow to write `key` (any more).
        """
        self._verify("PUT", key, query)
        if "upload" not in query:
            return None
        return PartTarget(key, query["upload"], int(query["part"]))

    def _verify(self, method: str, key: str, query: Mapping[str, str]) -> None:
        fields = dict(query)
        signature, expires_at = fields.pop("signature", ""), fields.pop("expires", "")
        self._signer.verify_until(signature, expires_at, *_signed(method, key, fields))


def _signed(method: str, key: str, fields: Mapping[str, str]) -> list[str]:
    # Every field is signed, so none can be added, dropped or changed.
    return ["object", method, key, *(text for name in sorted(fields) for text in (name, fields[name]))]
