"""An S3 server for tests: OpenStack Swift with its s3api, which enforces signatures, expiry and part sizes."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from minio import Minio
from minio.error import MinioException
from server_process import Server, ServerBroken, ServerMissing, free_port, program
from urllib3.exceptions import HTTPError

ACCESS_KEY = "test:tester"
SECRET_KEY = "testing"
REGION = "us-east-1"
ROOT = Path(__file__).resolve().parent.parent

COMMON = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
user = {user}
swift_dir = {folder}
workers = 0
log_level = WARNING
"""

STORAGE = """devices = {folder}/devices
mount_check = false
disable_fallocate = true
[pipeline:main]
pipeline = healthcheck {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
recon_cache_path = {folder}
[filter:healthcheck]
use = egg:swift#healthcheck
"""

PIPELINE = (
    "catch_errors gatekeeper healthcheck cache listing_formats bulk tempurl s3api tempauth copy slo dlo "
    "versioned_writes symlink proxy-logging proxy-server"
)

PROXY = """[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
s3_acl = false
multi_delete_concurrency = 8
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:{memcached}
[filter:proxy-logging]
use = egg:swift#proxy_logging
access_log_level = CRITICAL
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
"""
PLAIN_FILTERS = "catch_errors gatekeeper healthcheck listing_formats bulk tempurl copy slo dlo symlink"

# Runs in Swift's own environment: one process instead of nine calls of swift-ring-builder.
MAKE_RINGS = """
import json, sys
from swift.common.ring import RingBuilder
folder, ports = sys.argv[1], json.loads(sys.argv[2])
for kind, port in ports.items():
    builder = RingBuilder(4, 1, 1)
    builder.add_dev(dict(region=1, zone=1, ip="127.0.0.1", port=port, device="d1", weight=1))
    builder.rebalance()
    builder.get_ring().save(f"{folder}/{kind}.ring.gz")
"""


class S3(Server):
    """Swift's account, container, object and proxy servers with memcached."""

    def __init__(self) -> None:
        self._swift = ROOT / ".venv-swift" / "bin"
        self._memcached = program("memcached")
        if not (self._swift / "swift-proxy-server").exists():
            raise ServerMissing("the S3 test server is not installed: run scripts/bootstrap")
        _require_xattrs()
        super().__init__("s3")
        self.port = free_port()
        self._memcached_port = free_port()
        self._ports = {kind: free_port() for kind in ("account", "container", "object")}
        self._numbers = count(1)

    @property
    def endpoint(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """A bucket that need not exist yet; tests take a fresh one from `bucket`."""
        return self.bucket_url("mediamill")

    def bucket_url(self, bucket: str, *, secret: str = SECRET_KEY) -> str:
        """The storage URL of a bucket that may not exist."""
        key = ACCESS_KEY.replace(":", "%3A")
        return f"s3://{key}:{secret}@{self.endpoint}/{bucket}?secure=false&region={REGION}"

    @contextmanager
    def bucket(self) -> Iterator[str]:
        """The storage URL of a fresh, empty bucket; what it holds goes away with the server."""
        name = f"bucket-{next(self._numbers)}"
        self.client().make_bucket(name)
        yield self.bucket_url(name)

    def client(self) -> Minio:
        """A bare client, to look at the server from outside our own code."""
        return Minio(self.endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY, secure=False, region=REGION)

    def _prepare(self) -> None:
        (self.folder / "devices" / "d1").mkdir(parents=True)
        (self.folder / "swift.conf").write_text(
            "[swift-hash]\nswift_hash_path_prefix = mill\nswift_hash_path_suffix = mill\n"
        )
        for kind, port in self._ports.items():
            self._write_config(kind, port, STORAGE.format(folder=self.folder, kind=kind))
        proxy = PROXY.format(pipeline=PIPELINE, memcached=self._memcached_port)
        proxy += "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in PLAIN_FILTERS.split())
        self._write_config("proxy", self.port, proxy)
        self._make_rings()

    def _write_config(self, kind: str, port: int, rest: str) -> None:
        user = pwd.getpwuid(os.getuid()).pw_name
        common = COMMON.format(port=port, user=user, folder=self.folder)
        (self.folder / f"{kind}.conf").write_text(common + rest)

    def _make_rings(self) -> None:
        made = subprocess.run(
            [self._swift / "python", "-W", "ignore", "-c", MAKE_RINGS, self.folder, json.dumps(self._ports)],
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode:
            raise ServerBroken(made.stdout + made.stderr)

    def _launch(self) -> None:
        user = pwd.getpwuid(os.getuid()).pw_name
        memcached = f"-l 127.0.0.1 -p {self._memcached_port} -U 0 -m 16 -u {user}"
        self._run([self._memcached, *memcached.split()], "memcached.log")
        ports = {**self._ports, "proxy": self.port}
        servers = {kind: self._run(self._command(kind), f"{kind}.log") for kind in ports}
        for kind, port in ports.items():
            servers[kind].wait_until(lambda port=port: _healthy(port))  # type: ignore[misc]  # binds the loop's port
        servers["proxy"].wait_until(self._answers)

    def _command(self, kind: str) -> list[str | Path]:
        return [self._swift / f"swift-{kind}-server", self.folder / f"{kind}.conf", "--verbose"]

    def _answers(self) -> bool:
        try:
            self.client().list_buckets()
        except (MinioException, HTTPError):
            return False
        return True


def _healthy(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthcheck", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _require_xattrs() -> None:
    with tempfile.NamedTemporaryFile() as probe:
        try:
            os.setxattr(probe.name, "user.mill", b"1")
        except OSError as error:
            raise ServerMissing(f"the S3 test server needs extended attributes in {tempfile.gettempdir()}") from error
