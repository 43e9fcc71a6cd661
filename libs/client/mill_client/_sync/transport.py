# Made from _async/transport.py by `python -m tools.unasync`: change that.
"""One HTTP connection pool to one server: sends, repeats what may be repeated, turns refusals into errors."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, TypeVar

import httpx

from .._calls import Call
from .._http import Settings, accept, broken, fresh_request
from .._problems import is_quota
from ..errors import UnexpectedAnswer

T = TypeVar("T")


class Transport:
    """Safe to share."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.url = settings.url
        self._http = httpx.Client(**settings.keywords)

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
        accept(response, self.url)
        try:
            return call.parse(response)
        except (ValueError, KeyError) as error:
            raise UnexpectedAnswer(str(response.url), str(error).splitlines()[0]) from error

    @contextmanager
    def open(self, call: Call[Any]) -> Iterator[httpx.Response]:
        """The response to a call, of status 200 to 299, with its body still to be read. Raises as `send` does."""
        response = self._settle(call, stream=True)
        try:
            if not response.is_success:
                response.read()
            accept(response, self.url)
            yield response
        except httpx.RequestError as error:
            raise broken(self.url, error) from error
        finally:
            response.close()

    def _settle(self, call: Call[Any], *, stream: bool) -> httpx.Response:
        for attempt in count():
            delay_s, response = self._attempt(attempt, call, stream=stream)
            if response is not None:
                return response
            time.sleep(delay_s)
        raise AssertionError

    def _attempt(self, attempt: int, call: Call[Any], *, stream: bool) -> tuple[float, httpx.Response | None]:
        retries = self.settings.retries
        try:
            response = self._http.send(fresh_request(self._http, self.settings, call), stream=stream)
        except httpx.RequestError as error:
            delay_s = retries.after_failure(attempt, error, call.repeat)
            if delay_s is None:
                raise broken(self.url, error) from error
            return delay_s, None
        delay_s = retries.after_response(attempt, response, call.repeat)
        if delay_s is None or (not stream and is_quota(response)):
            return 0.0, response
        response.close()
        return delay_s, None
