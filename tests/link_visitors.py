"""What someone who holds a link can do with it."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Protocol
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from mill_common.signing import LinkExpired, SignatureInvalid
from mill_common.storage import FileStore


@dataclass(frozen=True)
class Answer:
    """What following a link led to."""

    status: int
    body: bytes = b""
    etag: str = ""
    filename: str = ""


class Visitor(Protocol):
    """Someone without credentials who follows a link."""

    def get(self, url: str, byte_range: tuple[int, int] | None = None) -> Answer: ...

    def put(self, url: str, body: bytes) -> Answer: ...


class HttpVisitor:
    """Asks the S3 server."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def get(self, url: str, byte_range: tuple[int, int] | None = None) -> Answer:
        headers = {} if byte_range is None else {"Range": "bytes={}-{}".format(*byte_range)}
        answer = self._client.get(url, headers=headers)
        disposition = answer.headers.get("content-disposition", "")
        filename = unquote(disposition.partition("attachment; filename*=UTF-8''")[2])
        return Answer(answer.status_code, answer.content, filename=filename)

    def put(self, url: str, body: bytes) -> Answer:
        answer = self._client.put(url, content=body)
        return Answer(answer.status_code, answer.content, etag=answer.headers.get("etag", ""))


class LocalVisitor:
    """Does what the API's route does with a file store's link."""

    def __init__(self, store: FileStore) -> None:
        self._store = store

    def get(self, url: str, byte_range: tuple[int, int] | None = None) -> Answer:
        key, query = self._parse(url)
        try:
            filename = self._store.verify_get(key, query)
        except (SignatureInvalid, LinkExpired) as error:
            return Answer(error.status)
        if byte_range is None:
            return Answer(200, b"".join(self._store.get(key)), filename=filename or "")
        start, last = byte_range
        return Answer(206, b"".join(self._store.get(key, start=start, length=last - start + 1)))

    def put(self, url: str, body: bytes) -> Answer:
        key, query = self._parse(url)
        try:
            target = self._store.verify_put(key, query)
        except (SignatureInvalid, LinkExpired) as error:
            return Answer(error.status)
        if target is None:
            self._store.put(key, BytesIO(body), size=len(body), content_type="application/octet-stream")
            return Answer(200)
        return Answer(200, etag=self._store.put_part(target, BytesIO(body), size=len(body)))

    def _parse(self, url: str) -> tuple[str, dict[str, str]]:
        parts = urlsplit(url)
        assert parts.path.startswith("/objects/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return unquote(parts.path.removeprefix("/objects/")), query
