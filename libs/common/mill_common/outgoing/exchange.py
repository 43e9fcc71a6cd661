"""One request and its answer."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpcore
import httpx

from mill_common.errors import SourceRefused
from mill_common.outgoing.addresses import Address
from mill_common.outgoing.connection import PinnedBackend
from mill_common.outgoing.errors import SourceUnreachable
from mill_common.outgoing.patience import Patience
from mill_common.outgoing.target import Target


@contextmanager
def exchange(
    request: httpx.Request, addresses: Sequence[Address], tls: ssl.SSLContext, patience: Patience
) -> Iterator[httpx.Response]:
    """Send `request` to the first of `addresses` that takes it, over a connection of its own, and yield the answer.

    Its body is still to be read, with `iter_raw`. No proxy, no cookies, no redirects.
    """
    backend = PinnedBackend(addresses, patience)
    with httpcore.ConnectionPool(ssl_context=tls, network_backend=backend, max_keepalive_connections=0) as pool:
        answer = pool.handle_request(_to_send(request))
        body = _Body(answer)
        try:
            yield httpx.Response(answer.status, headers=answer.headers, stream=body, request=request)
        finally:
            body.close()


@contextmanager
def told_plainly(target: Target) -> Iterator[None]:
    """Raise our errors for the connection's. None of them shows more of the URL than it may."""
    try:
        yield
    except httpcore.TimeoutException as error:
        raise SourceUnreachable(f"{target.shown} did not answer in time.") from error
    except httpcore.ProtocolError as error:
        raise SourceUnreachable(f"{target.shown} broke off or does not speak HTTP as it should.") from error
    except httpcore.NetworkError as error:
        if isinstance(error.__context__, ssl.SSLCertVerificationError):  # the pool cuts `__cause__` off
            raise SourceRefused(f"The certificate of {target.shown} is not valid.") from error
        raise SourceUnreachable(f"{target.shown} cannot be reached.") from error


class _Body(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _to_send(request: httpx.Request) -> httpcore.Request:
    url = request.url
    return httpcore.Request(
        request.method,
        httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
        headers=request.headers.raw,
        content=request.stream,
        extensions=request.extensions,
    )
