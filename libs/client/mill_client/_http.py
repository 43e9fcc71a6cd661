"""What both transports share: how they are set up, how a request is built and a response judged."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import httpx

from ._calls import Call
from ._problems import error_of
from ._retries import Retries
from .errors import ConnectionFailed, MillClientError, UnexpectedAnswer

CONNECT_S = 5.0


@dataclass(frozen=True)
class Settings:
    """Where to, as whom, and how patiently."""

    url: str
    headers: dict[str, str] = field(repr=False)  # with the key
    timeout_s: float
    retries: Retries

    @classmethod
    def checked(cls, url: str, api_key: str | None, *, timeout_s: float, retries: int) -> Settings:
        """Settings for a server.

        Raises:
            ValueError: The URL or the key cannot be one.
        """
        return cls(_base_url(url), _headers(api_key), timeout_s, Retries(count=retries))

    @property
    def keywords(self) -> dict[str, Any]:
        """What an HTTP client is made with."""
        return {
            "base_url": self.url,
            "headers": self.headers,
            "timeout": self.timeout(0.0),
            # A proxy is no way to this very machine.
            "trust_env": not _is_loopback(httpx.URL(self.url).host),
        }

    def timeout(self, patience_s: float) -> httpx.Timeout:
        """For a request whose answer may take so long."""
        return httpx.Timeout(max(self.timeout_s, patience_s), connect=min(self.timeout_s, CONNECT_S))


def fresh_request(http: httpx.Client | httpx.AsyncClient, settings: Settings, call: Call[Any]) -> httpx.Request:
    """The request of a call, with a body from its start."""
    return http.build_request(
        call.method,
        call.path,
        params=call.params,
        json=call.json,
        content=call.content() if call.content else None,
        headers=call.headers,
        timeout=settings.timeout(call.patience_s),
    )


def accept(response: httpx.Response, url: str) -> None:
    """Return if a response, read unless it is a success, is what was asked for."""
    if response.status_code >= 400:
        raise error_of(response)
    if not response.is_success:
        raise UnexpectedAnswer(url, f"it sends us to {response.headers.get('Location', 'elsewhere')}")


def broken(url: str, error: httpx.RequestError) -> MillClientError:
    """The error that a broken connection stands for."""
    if isinstance(error, httpx.DecodingError):
        return UnexpectedAnswer(url, _reason(error))
    return ConnectionFailed(url, _reason(error))


def _base_url(url: str) -> str:
    try:
        parsed = httpx.URL(url.strip())
    except httpx.InvalidURL as error:
        raise ValueError(f"{url!r} is not a URL: {error}") from error
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ValueError(f"{url!r} is not the URL of a server; it looks like http://127.0.0.1:8000")
    return str(parsed).rstrip("/")


def _headers(api_key: str | None) -> dict[str, str]:
    headers = {"User-Agent": f"mill-client/{version('mill-client')}", "Accept": "application/json"}
    key = (api_key or "").strip()
    if not key:
        return headers
    if not (key.isascii() and key.isprintable()):
        raise ValueError("the API key holds characters that no key has")
    return {**headers, "X-API-Key": key}


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _reason(error: httpx.RequestError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "it took too long to " + ("connect" if isinstance(error, httpx.ConnectTimeout) else "answer")
    return str(error) or type(error).__name__
