"""From a name to addresses, each of them checked."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from ipaddress import ip_address

from mill_common.outgoing.addresses import Address, Network, is_allowed
from mill_common.outgoing.errors import AddressRefused, SourceUnreachable
from mill_common.outgoing.target import Target

Resolver = Callable[[str, int], Sequence[str]]  # host and port → addresses, in the order to try them


def system_resolver(host: str, port: int) -> list[str]:
    """What the system's resolver says. It has a time limit of its own.

    Raises:
        OSError: If it finds nothing.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_addresses(target: Target, networks: Sequence[Network], resolve: Resolver) -> list[Address]:
    """The addresses of the target's host, asked for once.

    Raises:
        AddressRefused: If even one of them may not be reached: a name with two faces is not to be trusted.
        SourceUnreachable: If the name leads nowhere.
    """
    addresses = [target.address] if target.address is not None else _resolved(target, resolve)
    # Which address it was stays unsaid: the answer would map the operator's network for a stranger.
    if not all(is_allowed(address, networks) for address in addresses):
        raise AddressRefused(f"{target.shown} leads to an address that is not public.")
    return addresses


def _resolved(target: Target, resolve: Resolver) -> list[Address]:
    try:
        addresses = [ip_address(found) for found in resolve(target.host, target.port)]
    except (OSError, ValueError) as error:  # ValueError: a name that the system's encoding cannot take
        raise SourceUnreachable(f"The name in {target.shown} cannot be resolved.") from error
    if not addresses:
        raise SourceUnreachable(f"The name in {target.shown} has no address.")
    return addresses
