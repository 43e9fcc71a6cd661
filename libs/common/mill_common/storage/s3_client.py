"""The `minio` client, made once, and the few of its steps that it keeps to itself.

All use of its underscored methods is here. They are the ones its own `put_object` is made of; the conformance suite
runs each of them on a real server, so a release that changes one fails there.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

import certifi
import urllib3
from minio import Minio
from minio.datatypes import Part
from urllib3.util import Retry, Timeout

from mill_common.storage.base import UploadPart

CONNECT_S = 5.0
READ_S = 60.0
RETRIES = 3
CONNECTIONS = 16


@dataclass(frozen=True)
class S3Address:
    """What a storage URL says: `s3://key:secret@host:port/bucket?secure=true|false[&region=…][&public=https://…]`.

    `public` is how clients reach the server, if not under the address that services use.
    """

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str = field(repr=False)
    secure: bool
    region: str
    public: str

    @classmethod
    def parse(cls, url: str) -> S3Address:
        """Raises ValueError, without the secret, for anything else."""
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        secure, region, public = query.pop("secure", "true"), query.pop("region", "us-east-1"), query.pop("public", "")
        bucket = parts.path.strip("/")
        if not (parts.username and parts.password and parts.hostname and bucket) or "/" in bucket:
            raise ValueError("MILL_STORAGE_URL: expected s3://key:secret@host:port/bucket?secure=true|false")
        if query or secure not in {"true", "false"}:
            raise ValueError("MILL_STORAGE_URL: expected secure=true|false, and only region= and public= beside it")
        endpoint = parts.netloc.rpartition("@")[2]
        key, secret = unquote(parts.username), unquote(parts.password)
        return cls(endpoint, bucket, key, secret, secure == "true", region, public)

    def client(self) -> Minio:
        """A client with bounded waits: a dead server is found out in seconds."""
        return self._client(self.endpoint, self.secure)

    def link_client(self) -> Minio:
        """The client that signs links: for the public address, if there is one."""
        if not self.public:
            return self.client()
        parts = urlsplit(self.public)
        return self._client(parts.netloc, parts.scheme == "https")

    def _client(self, endpoint: str, secure: bool) -> Minio:
        # The region is always given, so that signing a link never asks the server.
        return Minio(endpoint, self.access_key, self.secret_key, secure=secure, region=self.region, http_client=_pool())


def _pool() -> urllib3.PoolManager:
    retries = Retry(
        total=RETRIES,
        backoff_factor=0.1,
        status_forcelist=[500, 502, 503, 504],
        raise_on_status=False,  # the last answer says more than that there were too many
        retry_after_max=int(READ_S),
    )
    return urllib3.PoolManager(
        timeout=Timeout(connect=CONNECT_S, read=READ_S),
        maxsize=CONNECTIONS,
        retries=retries,
        cert_reqs="CERT_REQUIRED",
        ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
    )


class Multipart:
    """The steps of a multipart upload to one bucket."""

    def __init__(self, client: Minio, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def start(self, key: str, content_type: str) -> str:
        """Begin an upload; returns its id."""
        return str(self._client._create_multipart_upload(self._bucket, key, {"Content-Type": content_type}))

    def put_part(self, key: str, upload_id: str, number: int, data: bytes) -> UploadPart:
        """Send one part."""
        etag = self._client._upload_part(self._bucket, key, data, None, upload_id, number)
        return UploadPart(number, str(etag))

    def complete(self, key: str, upload_id: str, parts: Sequence[UploadPart]) -> None:
        """Join the parts."""
        named = [Part(part.number, part.etag.strip('"')) for part in parts]
        self._client._complete_multipart_upload(self._bucket, key, upload_id, named)

    def abort(self, key: str, upload_id: str) -> None:
        """Drop the upload."""
        self._client._abort_multipart_upload(self._bucket, key, upload_id)


def put_whole(client: Minio, bucket: str, key: str, data: bytes, content_type: str) -> None:
    """Send a small object in one request."""
    client.put_object(bucket, key, io.BytesIO(data), len(data), content_type=content_type)
