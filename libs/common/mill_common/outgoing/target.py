"""A URL that may be asked for, once it has passed every check that needs no network."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import httpx

from mill_common.outgoing.addresses import Address
from mill_common.outgoing.errors import AddressRefused

URL_MAX = 8192  # characters
SHOWN_MAX = 200  # characters of a URL in an error message
PORTS = {"http": 80, "https": 443}
_OPEN_PORTS = range(1024, 65536)
# Ports among them where another protocol would take a request for its own. Source: the Fetch standard, "bad port".
_CLOSED_PORTS = frozenset(
    {1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6679, 6697, 10080, *range(6665, 6670)}
)
_AUTHORITY = re.compile(r"https?://([^/?#]+)", re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\\u2028\u2029\ud800-\udfff]")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True)
class Target:
    """Where one request goes. `host` is a name in ASCII, or an address without brackets."""

    url: httpx.URL
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Target:
        """Check the form of a URL: scheme, credentials, host and port.

        Raises:
            AddressRefused: If anything about it is not as plain as it should be.
        """
        url = _parsed(text)
        host = url.host.removesuffix(".") if ":" not in url.host else url.host
        _check_host(host)
        port = url.port if url.port is not None else PORTS[url.scheme]
        if port not in PORTS.values() and (port not in _OPEN_PORTS or port in _CLOSED_PORTS):
            raise AddressRefused(f"Port {port} may not be reached. Use 80, 443 or one from 1024 up.")
        return cls(url.copy_with(host=host, fragment=None), host, port)

    def follow(self, location: str) -> Target:
        """The target of a redirect found here.

        Raises:
            AddressRefused: If the new URL is refused, or if it leaves https for http.
        """
        if not location:
            raise AddressRefused("The server redirects without saying where.")
        try:
            found = Target.parse(str(self.url.join(location)))
        except (httpx.InvalidURL, ValueError) as error:
            raise AddressRefused("The server redirects to something that is no URL.") from error
        if self.url.scheme == "https" and found.url.scheme != "https":
            raise AddressRefused("The server redirects from https to http.")
        return found

    @property
    def address(self) -> Address | None:
        """The address that the URL names outright, if it names one."""
        return literal(self.host)

    @property
    def shown(self) -> str:
        """The URL as an error message may show it: no query string, no credentials."""
        plain = str(self.url.copy_with(query=None))
        return plain if len(plain) <= SHOWN_MAX else f"{plain[:SHOWN_MAX]}…"


def literal(host: str) -> Address | None:
    """The address that `host` is in canonical notation, or None."""
    with suppress(AddressValueError):
        return IPv6Address(host) if ":" in host else IPv4Address(host)
    return None


def _parsed(text: str) -> httpx.URL:
    authority = _AUTHORITY.match(text)
    if authority is None or len(text) > URL_MAX or _FORBIDDEN.search(text):
        raise AddressRefused("The URL is not a plain http or https URL.")
    if "@" in authority[1]:
        raise AddressRefused("The URL holds credentials.")
    try:
        return httpx.URL(text)
    except (httpx.InvalidURL, ValueError) as error:
        raise AddressRefused("The URL is not a plain http or https URL.") from error


def _check_host(host: str) -> None:
    labels = host.split(".")
    # Resolvers read 2130706433, 0x7f.1 and 0177.0.0.1 as addresses. So does nobody who means well.
    numeric = _NUMBER.fullmatch(labels[-1]) is not None
    if literal(host) is not None or (not numeric and _is_name(host, labels)):
        return
    raise AddressRefused("The host in the URL is neither a name nor an address in its usual form.")


def _is_name(host: str, labels: list[str]) -> bool:
    return len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)
