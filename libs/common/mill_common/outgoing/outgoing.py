"""Requests to servers that somebody else named: source URLs and webhooks."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import httpx

from mill_common.errors import SourceRefused
from mill_common.outgoing.addresses import Network
from mill_common.outgoing.exchange import exchange, told_plainly
from mill_common.outgoing.patience import Patience, wanted
from mill_common.outgoing.resolve import Resolver, checked_addresses, system_resolver
from mill_common.outgoing.target import Target

REDIRECTS_MAX = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Seconds that an outgoing request may take."""

    connect_s: float = 10.0  # for each address, and for the TLS handshake
    read_s: float = 30.0  # without a byte
    answer_s: float = 45.0  # from connecting to the last header
    total_s: float = 3600.0  # redirects and the whole body


class Outgoing:
    """Sends requests under the rules for URLs that others chose.

    A name is resolved once for each hop, every address is checked, and the connection goes to those very addresses.
    Only public addresses are reached, and those in `networks`. Nothing is taken from the environment but the trusted
    certificates (SSL_CERT_FILE, SSL_CERT_DIR).
    """

    def __init__(
        self,
        *,
        networks: Sequence[Network] = (),
        limits: Limits | None = None,
        resolve: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._networks = networks
        self._limits = limits or Limits()
        self._resolve = resolve
        self._given_tls = tls

    @contextmanager
    def open(
        self,
        url: str,
        *,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        redirects: int = 0,
        check: Callable[[], None] = wanted,
    ) -> Iterator[httpx.Response]:
        """Send a request and yield the answer, whatever its status. Read its body with `iter_raw`, inside the context.

        With `redirects=0` a redirect is an answer like any other; otherwise `headers` and `content` go to every server
        on the way, so nothing secret may be in them. `check` is called about twice a second; what it raises ends the
        exchange and comes out unchanged.

        Raises:
            AddressRefused: The URL, or one it redirects to, may not be reached. Nothing was sent there.
            SourceRefused: There were more redirects than `redirects`, or the certificate is not valid.
            SourceUnreachable: The server cannot be reached, is too slow, or broke off; also while the body is read.
        """
        ends = time.monotonic() + self._limits.total_s
        target = Target.parse(url)
        for _ in range(redirects + 1):
            request = self._request(method, target, headers, content)
            with told_plainly(target), self._sent(request, target, ends, check) as response:
                if not redirects or response.status_code not in _REDIRECTS:
                    yield response
                    return
                target = target.follow(response.headers.get("location", ""))
        raise SourceRefused(f"The server redirects more than {redirects} times.")

    @contextmanager
    def _sent(
        self, request: httpx.Request, target: Target, ends: float, check: Callable[[], None]
    ) -> Iterator[httpx.Response]:
        addresses = checked_addresses(target, self._networks, self._resolve)
        patience = Patience(check)
        patience.until(min(ends, time.monotonic() + self._limits.answer_s))
        with exchange(request, addresses, self._tls, patience) as response:
            patience.until(ends)
            yield response

    def _request(
        self, method: str, target: Target, headers: Mapping[str, str] | None, content: bytes | None
    ) -> httpx.Request:
        sent = {"accept": "*/*", "accept-encoding": "identity", "connection": "close", "user-agent": "mediamill"}
        limits = self._limits
        times = {"connect": limits.connect_s, "read": limits.read_s, "write": limits.read_s, "pool": limits.connect_s}
        return httpx.Request(
            method, target.url, headers={**sent, **(headers or {})}, content=content, extensions={"timeout": times}
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._given_tls or httpx.create_ssl_context()
