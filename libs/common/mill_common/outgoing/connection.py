"""Connections that go to checked addresses and nowhere else."""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Sequence
from typing import Any

import httpcore

from mill_common.outgoing.addresses import Address
from mill_common.outgoing.patience import Patience

_TRIED_MAX = 4  # addresses of one name


class PinnedBackend(httpcore.NetworkBackend):
    """Connects to given addresses, whatever host is asked for.

    The host stays with the layers above, so the Host header, SNI and the name in the certificate are those of the URL.
    """

    def __init__(self, addresses: Sequence[Address], patience: Patience) -> None:
        self._addresses = addresses[:_TRIED_MAX]
        self._patience = patience
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address that answers; `timeout` is for each."""
        failure: Exception = httpcore.ConnectError("no address")
        for address in self._addresses:
            try:
                stream = self._sockets.connect_tcp(
                    str(address),
                    port,
                    timeout=self._patience.left(timeout),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return PatientStream(stream, self._patience)
        raise failure


class PatientStream(httpcore.NetworkStream):
    """A connection whose every read keeps to a `Patience`."""

    def __init__(self, stream: httpcore.NetworkStream, patience: Patience) -> None:
        self._stream = stream
        self._patience = patience

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Up to `max_bytes`."""
        return self._patience.wait(lambda slice_s: self._stream.read(max_bytes, timeout=slice_s), timeout)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all of `buffer`."""
        self._stream.write(buffer, timeout=self._patience.left(timeout))

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        """Speak TLS from here on."""
        stream = self._stream.start_tls(ssl_context, server_hostname, self._patience.left(timeout))
        return PatientStream(stream, self._patience)

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks of a stream."""
        return self._stream.get_extra_info(info)
