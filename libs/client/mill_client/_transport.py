"""One HTTP connection pool to one server: sends, repeats what may be repeated, turns refusals into errors."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import count
from typing import Any, TypeVar

import httpx

from ._calls import Call
from ._problems import error_of
from ._retries import Retries
from .errors import ConnectionFailed, MillClientError, UnexpectedAnswer

T = TypeVar("T")


class Transport:
    """Blocking transport. Safe to share between threads."""

    def __init__(self, url: str, api_key: str | None, *, timeout_s: float, retries: Retries) -> None:
        self.url = _base_url(url)
        self._retries = retries
        self._timeout_s = timeout_s
        self._http = httpx.Client(
            base_url=self.url,
            headers=_headers(api_key),
            timeout=httpx.Timeout(timeout_s, connect=min(timeout_s, 5.0)),
            # A proxy is no way to this very machine.
            trust_env=not _is_loopback(httpx.URL(self.url).host),
        )

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """Make a call and read its answer.

        Raises:
            ApiError: The server refused or failed.
            ConnectionFailed: It did not answer.
            UnexpectedAnswer: It answered something else.
        """
        response = self._settle(call, stream=False)
        _accept(response, self.url)
        return self.parse(call, response)

    def parse(self, call: Call[T], response: httpx.Response) -> T:
        """The typed answer in a response that was read."""
        try:
            return call.parse(response)
        except ValueError as error:
            first = str(error).splitlines()[0]
            raise UnexpectedAnswer(str(response.url), first) from error

    @contextmanager
    def open(self, call: Call[Any]) -> Iterator[httpx.Response]:
        """The response to a call, of status 200 to 299, with its body still to be read. Raises as `send` does."""
        response = self._settle(call, stream=True)
        try:
            if not response.is_success:
                response.read()
            _accept(response, self.url)
            yield response
        except httpx.RequestError as error:
            raise _broken(self.url, error) from error
        finally:
            response.close()

    def _request(self, call: Call[Any]) -> httpx.Request:
        content = call.content() if call.content else None
        timeout = httpx.Timeout(max(self._timeout_s, call.patience_s), connect=min(self._timeout_s, 5.0))
        return self._http.build_request(
            call.method,
            call.path,
            params=call.params,
            json=call.json,
            content=content,
            headers=call.headers,
            timeout=timeout,
        )

    def _settle(self, call: Call[Any], *, stream: bool) -> httpx.Response:
        for attempt in count():
            delay_s, response = self._attempt(attempt, call, stream=stream)
            if response is not None:
                return response
            time.sleep(delay_s)
        raise AssertionError

    def _attempt(self, attempt: int, call: Call[Any], *, stream: bool) -> tuple[float, httpx.Response | None]:
        try:
            response = self._http.send(self._request(call), stream=stream)
        except httpx.RequestError as error:
            delay_s = self._retries.after_failure(attempt, error, call.repeat)
            if delay_s is None:
                raise _broken(self.url, error) from error
            return delay_s, None
        delay_s = self._retries.after_response(attempt, response, call.repeat)
        if delay_s is None:
            return 0.0, response
        response.close()
        return delay_s, None


def _accept(response: httpx.Response, url: str) -> None:
    if response.status_code >= 400:
        raise error_of(response)
    if not response.is_success:
        raise UnexpectedAnswer(url, f"it sends us to {response.headers.get('Location', 'elsewhere')}")


def _broken(url: str, error: httpx.RequestError) -> MillClientError:
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
